package tla_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// TLC takes every step of the counterexamples that the explorer finds, all of a
// scenario's at once, and not the one that leads to other words.
func TestConform_ExplorerTraces(t *testing.T) {
	tools := full(t)
	traces := map[model.Config][]model.Trace{}
	for _, q := range questions(t) {
		properties, ok := modelProperties(q)
		if !ok || q.Verdict == spec.Verified {
			continue
		}
		found := explore.Explore(context.Background(), q.ModelConfig(), explore.Options{Check: properties})
		traces[q.ModelConfig()] = append(traces[q.ModelConfig()], found.Trace)
	}
	if len(traces) != 8 {
		t.Fatalf("the explorer has counterexamples in %d scenarios, want 8", len(traces))
	}
	for cfg, traces := range traces {
		t.Run(name(cfg), func(t *testing.T) {
			t.Parallel()
			wrong := slices.Clone(traces[0])
			wrong[len(wrong)-1].Words.Exit++
			want := -1
			for _, trace := range append(traces, wrong) {
				want += len(trace)
			}
			run := tlc.Run{Tools: tools, Files: tla.Files, Question: about(cfg), Small: true}
			if got, err := run.Replay(context.Background(), append(traces, wrong)...); got != want || err != nil {
				t.Errorf("Replay(%d traces of %s and one with a wrong word at its end) = %d steps, %v; want all but the last, %d", len(traces), name(cfg), got, err, want)
			}
		})
	}
}

// behaves replays a counterexample of TLC on the model and returns what is
// wrong with it: an entry that cannot happen or leaves other words, or an end
// that does not violate the property; "" if nothing is.
func behaves(cfg model.Config, result model.Result) string {
	states, err := result.Trace.Replay(cfg)
	if err != nil {
		return err.Error()
	}
	s := states[len(states)-1]
	property, err := spec.ParseProperty(result.Property)
	switch {
	case err != nil: // Reach…: the model does not know it
	case property == spec.NoHang && result.Loop == 0 && !model.Stuck(cfg, s):
		return fmt.Sprintf("it ends in %v, where a process can take a step, or all rest", s)
	case property.Kind() == spec.Safety && !model.Violates(cfg, s, property):
		return fmt.Sprintf("it ends in %v, where %v holds", s, property)
	}
	return ""
}
