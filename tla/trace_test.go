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

// TLC takes the counterexamples that the explorer finds for behaviours of the
// module, all of a scenario's at once; and does not when one word is another.
func TestConform_ExplorersTraces(t *testing.T) {
	tools := findTools(t)
	traces := map[model.Config][][]model.Entry{}
	for _, config := range configs(t) {
		properties, ok := modelProperties(config)
		if !ok || config.Kept {
			continue
		}
		cfg := modelConfig(config)
		found := explore.Explore(context.Background(), cfg, explore.Options{Check: properties})
		if len(found.Trace) > 0 {
			traces[cfg] = append(traces[cfg], found.Trace)
		}
	}
	if len(traces) < 8 {
		t.Fatalf("the explorer has counterexamples in %d scenarios, want 8", len(traces))
	}
	for cfg, traces := range traces {
		t.Run(name(cfg), func(t *testing.T) {
			t.Parallel()
			run := tlc.Run{Tools: tools, Files: tla.Files, Config: configFor(t, cfg), Small: true}
			if ok, err := run.Accepts(context.Background(), traces...); !ok || err != nil {
				t.Errorf("Accepts(%d traces of %s) = %v, %v; want true", len(traces), name(cfg), ok, err)
			}
			if cfg.Scenario != spec.Crash {
				return
			}
			wrong := slices.Clone(traces[0])
			wrong[len(wrong)-1].Words.Exit++
			if ok, err := run.Accepts(context.Background(), wrong); ok || err != nil {
				t.Errorf("Accepts(a trace with a wrong word) = %v, %v; want false", ok, err)
			}
		})
	}
}

// behaves replays a trace of TLC on the model and returns what is wrong with
// it: a step that is not enabled, other words, another party count, or an end
// that does not violate the property; "" if nothing is.
func behaves(cfg model.Config, result model.Result) string {
	s := model.Init(cfg)
	for i, e := range result.Trace {
		actions := model.Enabled(cfg, s)
		at := slices.IndexFunc(actions, func(a model.Action) bool {
			return a.Proc == e.Proc && a.Label() == e.Label && a.Parties == e.Parties
		})
		if at < 0 {
			return fmt.Sprintf("step %d, %v, is not enabled in %v", i+1, e, s)
		}
		if s = model.Apply(cfg, s, actions[at]); s.Words() != e.Words {
			return fmt.Sprintf("step %d, %v, leads to %v", i+1, e, s)
		}
	}
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

// modelConfig is the model's question for TLC's.
func modelConfig(config tlc.Config) model.Config {
	return model.Config{
		Scenario: config.Scenario, Procs: config.Procs, Rounds: config.Rounds,
		Control: config.Kept && model.ControlOf(config.Scenario) != "",
	}
}
