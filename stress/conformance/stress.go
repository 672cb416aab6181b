//go:build linux

package conformance

import (
	"errors"
	"fmt"
	"slices"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/run"
)

// tour returns the check of each edge of the state graph for n processes, with
// withdrawal if the port withdraws.
func tour(n int) func(*subject) (string, error) {
	return func(s *subject) (string, error) {
		if !s.can.White {
			return "", errUnable
		}
		scenario := spec.Reuse
		if s.can.Withdraw {
			scenario = spec.Withdraw
		}
		found := ""
		plan := lockstep.Plan{Ports: []string{s.Port}, Scenario: scenario.String(), Procs: n}
		for rep, err := range plan.Tour(s.ctx) {
			switch {
			case err != nil:
				return "", err
			case rep.Verdict != spec.Passed:
				return "", fmt.Errorf("after %d steps: %s", rep.Steps, rep.Why)
			case rep.Covered != rep.Edges:
				return "", fmt.Errorf("only %d of %d edges were taken", rep.Covered, rep.Edges)
			}
			found = fmt.Sprintf("%d of %d edges", rep.Covered, rep.Edges)
		}
		return found, nil
	}
}

// stress returns the check of a stress run of so many processes of the port
// together with others.
func stress(own int, others ...string) func(*subject) (string, error) {
	return func(s *subject) (string, error) {
		if s.turn != nil {
			s.turn.Lock()
			defer s.turn.Unlock()
		}
		ports := append(slices.Repeat([]string{s.Port}, own), others...)
		rep, err := run.Run(s.ctx, run.Config{
			Procs: len(ports), Ports: ports, For: s.For, Stall: s.Stall, Seed: s.Seed, Pauses: true,
		})
		switch {
		case err != nil:
			return "", err
		case rep.Verdict == spec.Violated:
			return "", fmt.Errorf("early exit: %v", *rep.Early)
		case rep.Verdict == spec.Hang:
			return "", fmt.Errorf("hang: %s", rep.Hang.Why)
		case rep.Rounds == 0 && s.ctx.Err() == nil:
			return "", errors.New("not one round was completed")
		}
		return fmt.Sprintf("%d rounds", rep.Rounds), nil
	}
}
