package tla_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

var readManifest = sync.OnceValues(func() (tlc.Manifest, error) { return tlc.ReadManifest(tla.Files) })

func manifest(t *testing.T) tlc.Manifest {
	t.Helper()
	m, err := readManifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TLC answers every short question as the manifest says, figures included, and
// its counterexamples are runs of the model that end in a violation there too.
func TestQuestions(t *testing.T) {
	findTools(t)
	answers := manifest(t)
	for _, config := range configs(t) {
		want := answers.Find(config.Name)
		if want.Class != tlc.Short {
			continue
		}
		t.Run(config.Name, func(t *testing.T) {
			t.Parallel()
			outcome := ask(t, config).Outcome
			if differs := want.Differs(outcome.Result, true); differs != "" {
				t.Errorf("Check(%s): %s", config.Name, differs)
			}
			if wrong := behaves(modelConfig(config), outcome.Result); wrong != "" {
				t.Errorf("the counterexample to %s is no run of the model: %s", config.Name, wrong)
			}
		})
	}
}

// What TLC answered is what spec expects of each scenario, once it expects
// something, and TLC answers for every property.
func TestConform_Spec(t *testing.T) {
	verdicts := verdictsByRow(t)
	for _, s := range spec.AllScenarios {
		for _, p := range spec.AllProperties {
			if s == spec.Fork {
				continue
			}
			got := verdicts[fmt.Sprintf("`%v`", s)][p.String()]
			if want := s.Expect(p); got != want && want != spec.Undecided || got == "" {
				t.Errorf("%v in scenario %v: TLC finds that it %q, spec expects that it %q", p, s, got, want)
			}
		}
	}
}

// The manifest answers each question once, and no others.
func TestManifest(t *testing.T) {
	var names, want []string
	for _, e := range manifest(t).Configs {
		names = append(names, e.Config)
	}
	for _, config := range configs(t) {
		want = append(want, config.Name)
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("manifest.json answers\n     %v\nwant %v", names, want)
	}
}

// What TLC answered (the manifest) is what the explorer of the model answers
// now: the verdict; and where all states were visited, how many there are, how
// many edges, and how deep they lie. This is where n = 4, 5 and 6 are compared.
func TestConform_Explorer(t *testing.T) {
	for _, want := range manifest(t).Configs {
		config, err := tlc.ReadConfig(tla.Files, want.Config)
		if err != nil {
			t.Fatal(err)
		}
		properties, ok := modelProperties(config)
		if !ok || want.Class == tlc.Long && os.Getenv("SHAREDBARRIER_STRICT") != "1" {
			continue // millions of states
		}
		t.Run(want.Config, func(t *testing.T) {
			cfg := modelConfig(config)
			got := explore.Explore(context.Background(), cfg, explore.Options{Check: properties})
			if got.Verdict != want.Verdict || got.Property != want.Property {
				t.Fatalf("Explore(%s, %v) = %s %s, and TLC found %s %s", name(cfg), properties, got.Verdict, got.Property, want.Verdict, want.Property)
			}
			if len(got.Trace) > 0 && len(got.Trace) != want.Depth-1 {
				t.Errorf("Explore(%s, %v): the shortest counterexample has %d steps, and TLC's %d", name(cfg), properties, len(got.Trace), want.Depth-1)
			}
			if want.Verdict == spec.Verified && (got.Distinct != want.Distinct || got.Generated != want.Generated || got.Depth != want.Depth) {
				t.Errorf("Explore(%s): %d distinct of %d states, depth %d; and TLC found %d of %d, depth %d", name(cfg),
					got.Distinct, got.Generated, got.Depth, want.Distinct, want.Generated, want.Depth)
			}
		})
	}
}

// modelProperties are the properties that the question asks about, if it is one
// about states that the explorer of the model can answer too.
func modelProperties(config tlc.Config) (list []spec.Property, ok bool) {
	if config.Liveness() {
		return nil, false
	}
	for _, asked := range config.Asks() {
		if asked == "NoDeadlock" {
			asked = spec.NoHang.String()
		}
		property, err := spec.ParseProperty(asked)
		if err != nil {
			return nil, false
		}
		list = append(list, property)
	}
	return list, true
}
