//go:build linux

package lockstep

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// A Counterexample is a schedule that refutes a property in the model.
type Counterexample struct {
	Config   model.Config
	Property string   // name of a spec.Property, or of what else an engine checks
	Schedule Schedule // of a lasso: its loop three times in all
	Lasso    bool     // it ends in a loop
}

// Hazards explores every scenario that is misuse and has a control, for 2 and
// for 3 processes. It returns a shortest counterexample of each property that
// fails there. It blocks for a second or so, and returns the error of ctx when
// that ends.
func Hazards(ctx context.Context) (list []Counterexample, err error) {
	for _, sc := range spec.AllScenarios {
		if model.ControlOf(sc) == "" {
			continue
		}
		for _, procs := range []int{2, 3} {
			cfg := model.Config{Scenario: sc, Procs: procs}
			// Unless it must, no bound on calls: a process that has made all
			// its calls looks like the cause of a hang. In round 2 the party
			// count changes, and round 3 shows the consequences.
			if model.NeedsBound(cfg) {
				cfg.Rounds = 3
			}
			for _, p := range spec.AllProperties {
				found := explore.Explore(ctx, cfg, explore.Options{Check: []spec.Property{p}, MaxStates: 1_000_000})
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if found.Verdict != spec.Violated && found.Verdict != spec.Hang {
					continue
				}
				s, err := scheduleOf(cfg, found.Trace)
				if err != nil {
					return nil, fmt.Errorf("scenario %v: %w", sc, err)
				}
				list = append(list, Counterexample{Config: cfg, Property: p.String(), Schedule: s})
			}
		}
	}
	return list, nil
}

// readTraces reads the results of an engine, JSON lines as model/check and
// tla/check print them. It fails if none of them has a trace, or if one is no
// trace of the model.
func readTraces(in io.Reader) (list []Counterexample, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var r model.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d is no result of model/check --json: %w", n, err)
		}
		if r.Version != model.ResultVersion {
			return nil, fmt.Errorf("line %d has version %d, want %d", n, r.Version, model.ResultVersion)
		}
		if len(r.Trace) == 0 {
			continue
		}
		c, err := counterexample(r)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		list = append(list, c)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("the results have no trace: only a verdict of violated or hang has one")
	}
	return list, nil
}

// counterexample returns that of a result, which has a trace.
func counterexample(r model.Result) (c Counterexample, err error) {
	sc, err := spec.ParseScenario(r.Scenario)
	if err != nil {
		return c, err
	}
	c = Counterexample{Config: model.Config{Scenario: sc, Procs: r.Procs, Rounds: r.Rounds}, Property: r.Property, Lasso: r.Loop != 0}
	if err := c.Config.Validate(); err != nil {
		return c, err
	}
	trace := r.Trace
	if c.Lasso {
		if r.Loop < 0 || r.Loop > len(trace) {
			return c, fmt.Errorf("its loop begins at entry %d of %d", r.Loop, len(trace))
		}
		loop := trace[r.Loop-1:] // twice more: the repetition shows that it is one
		trace = slices.Concat(trace, loop, loop)
	}
	c.Schedule, err = scheduleOf(c.Config, trace)
	return c, err
}

// scheduleOf returns the schedule of a trace, which the model must be able to
// take, with the same words after each entry.
func scheduleOf(cfg model.Config, trace model.Trace) (Schedule, error) {
	_, err := trace.Replay(cfg)
	return movesOf(trace), err
}
