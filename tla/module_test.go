package tla_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// Every step and event of spec is an action of the modules under the same name,
// the steps in the order of PROTOCOL.md, and there are no others.
func TestConform_ModuleActions(t *testing.T) {
	steps := section(t, readFile(t, "SharedBarrier.tla"), "(* The steps of a call", "(* The specification.") +
		section(t, readFile(t, "MCSharedBarrier.tla"), "(* The environment.", "(* The specification.")
	var got []string
	for _, match := range regexp.MustCompile(`(?m)^(\w+)(?:\(p\))? ==$`).FindAllStringSubmatch(steps, -1) {
		got = append(got, match[1])
	}
	var want []string
	for _, s := range spec.CallSteps {
		want = append(want, s.String())
	}
	want = append(want, spec.GiveUp.String())
	for _, s := range slices.Concat(spec.WithdrawalSteps, spec.ConstructionSteps) {
		want = append(want, s.String())
	}
	want = append(want, spec.Die.String(), spec.Abandon.String(), spec.Relink.String())
	if !slices.Equal(got, want) {
		t.Errorf("actions of the modules:\n got %v\nwant %v", got, want)
	}
}

// Every string of the modules is a step, an event or a scenario.
func TestConform_ModuleStrings(t *testing.T) {
	text := readFile(t, "SharedBarrier.tla") + readFile(t, "MCSharedBarrier.tla")
	text = regexp.MustCompile(`\\\*.*|\(\*.*`).ReplaceAllString(text, "") // comments
	for _, match := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(text, -1) {
		_, notStep := spec.ParseStep(match[1])
		_, notEvent := spec.ParseEvent(match[1])
		_, notScenario := spec.ParseScenario(match[1])
		if notStep != nil && notEvent != nil && notScenario != nil {
			t.Errorf("the modules have %q, which is no step, event or scenario of spec", match[1])
		}
	}
}

// Labels are the steps, and Holding those at which spec says that a process
// holds the lock.
func TestConform_ModuleLabels(t *testing.T) {
	text := section(t, readFile(t, "SharedBarrier.tla"), "Holding == {", "}")
	labels := section(t, readFile(t, "SharedBarrier.tla"), "Holding == {", "Outside(p)")
	for _, s := range spec.AllSteps {
		if strings.Count(labels, `"`+s.String()+`"`) != 1 {
			t.Errorf("%v stands in Labels not once", s)
		}
		if got := strings.Contains(text, `"`+s.String()+`"`); got != s.Holds() {
			t.Errorf("%v in Holding: %v, want %v", s, got, s.Holds())
		}
	}
}

func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok1 := strings.Cut(text, from)
	part, _, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		t.Fatalf("nothing stands between %q and %q in the module", from, to)
	}
	return part
}
