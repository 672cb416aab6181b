//go:build linux

package conformance

import (
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model/cli"
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
			if rep.Edges > 0 {
				s.edges = &Edges{rep.Scenario, rep.Procs, rep.Covered, rep.Edges}
			}
			switch {
			case s.ctx.Err() != nil:
				return "", s.ctx.Err()
			case err != nil:
				return "", err
			case rep.Verdict != spec.Passed:
				last := ""
				if moves := strings.Fields(rep.Schedule); len(moves) > 0 {
					last = fmt.Sprintf(" (the last moves: %s)", strings.Join(moves[max(0, len(moves)-8):], " "))
				}
				return "", finding(fmt.Sprintf("PROTOCOL.md, sections 4 and 5; a table of the steps: go run ./stress lockstep --tour --procs %d --port %s", n, cli.Quoted(s.Port)),
					"after %d steps%s: %s", rep.Steps, last, rep.Why)
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
			Procs: len(ports), Ports: ports, For: s.For, Stall: s.Stall, Seed: s.Seed, Pauses: true, Lenient: true,
		})
		switch {
		case s.ctx.Err() != nil:
			return "", s.ctx.Err()
		case err != nil:
			return "", err
		case rep.Verdict == spec.Violated:
			return "", finding("HAZARDS.md, section 1: NoEarlyExit", "early exit: %v", *rep.Early)
		case rep.Hang != nil && s.ctx.Err() == nil: // a port that stops itself, too
			return "", finding("HAZARDS.md, section 1: NoHang", "hang: %v", rep.Hang)
		case rep.Rounds == 0:
			return "", finding("PROTOCOL.md, section 4", "not one round was completed in %v", s.For)
		}
		return fmt.Sprintf("%d rounds", rep.Rounds), nil
	}
}
