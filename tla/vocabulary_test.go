package tla_test

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

func moduleText(t *testing.T) string {
	t.Helper()
	text, err := fs.ReadFile(tla.Files, "SharedBarrier.tla")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every step and event of spec is an action of the module under the same name,
// the steps in the order of PROTOCOL.md, and there are no others.
func TestVocabulary_Actions(t *testing.T) {
	text := moduleText(t)
	steps := section(t, text, "(* The steps of a call.", "(* The whole.")
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
		t.Errorf("actions of SharedBarrier.tla:\n got %v\nwant %v", got, want)
	}
}

// Every word in quotes that the module has is a step, an event or a scenario.
func TestVocabulary_Strings(t *testing.T) {
	for _, match := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(moduleText(t), -1) {
		_, notStep := spec.ParseStep(match[1])
		_, notEvent := spec.ParseEvent(match[1])
		_, notScenario := spec.ParseScenario(match[1])
		if notStep != nil && notEvent != nil && notScenario != nil {
			t.Errorf("SharedBarrier.tla has %q, which is no step, event or scenario of spec", match[1])
		}
	}
}

// Where the module says that a process holds the lock, spec says so too.
func TestVocabulary_Holding(t *testing.T) {
	text := section(t, moduleText(t), "Holding == {", "}")
	for _, s := range spec.AllSteps {
		if got := strings.Contains(text, `"`+s.String()+`"`); got != s.Holds() {
			t.Errorf("%v in Holding: %v, want %v", s, got, s.Holds())
		}
	}
}

var explained = regexp.MustCompile(`^\\\* (?s:.*)\n *N = \d+ +\\\* .*\n *Rounds = \d+ +\\\* `)

// Every question asks something, and says in comments what it asks and why its
// bounds are enough.
func TestVocabulary_Questions(t *testing.T) {
	for _, config := range configs(t) {
		if len(config.Asks()) == 0 {
			t.Errorf("%s.cfg asks nothing", config.Name)
		}
		text, err := fs.ReadFile(tla.Files, config.Name+".cfg")
		if err != nil || !explained.Match(text) {
			t.Errorf("%s.cfg, %v: want the question in a comment on top, and why it is enough in one beside each bound", config.Name, err)
		}
	}
}

func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok1 := strings.Cut(text, from)
	part, _, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		t.Fatalf("SharedBarrier.tla: nothing stands between %q and %q", from, to)
	}
	return part
}

var readConfigs = sync.OnceValues(func() (list []tlc.Config, err error) {
	files, err := fs.Glob(tla.Files, "*.cfg")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		config, err := tlc.ReadConfig(tla.Files, strings.TrimSuffix(file, ".cfg"))
		if err != nil {
			return nil, err
		}
		list = append(list, config)
	}
	return list, nil
})

// configs returns every question there is.
func configs(t *testing.T) []tlc.Config {
	t.Helper()
	list, err := readConfigs()
	if err != nil {
		t.Fatal(err)
	}
	return list
}
