//go:build linux

package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// A subject is what a scenario is tried on.
type subject struct {
	procs  int
	ports  []string            // by worker; nil: all use package impl
	can    []port.Capabilities // of these
	mutant *model.Mutant       // in the model; nil: none. A test has one.
}

// subject finds out what the ports can do, by starting each.
func (o Options) subject(ctx context.Context) (subject, error) {
	s := subject{procs: o.Procs, ports: o.Ports, mutant: o.mutant}
	if len(o.Ports) == 0 {
		s.ports = nil
		return s, nil
	}
	s.procs = len(o.Ports)
	known := map[string]port.Capabilities{}
	for _, name := range o.Ports {
		if _, is := known[name]; !is {
			p, err := registry.Start(ctx, name)
			if err != nil {
				return s, err
			}
			known[name] = p.Can()
			p.Kill()
		}
		s.can = append(s.can, known[name])
	}
	return s, nil
}

// announces reports whether all workers announce their steps, so that they can
// be guided, and all outcomes can be seen.
func (s subject) announces() bool {
	return !slices.ContainsFunc(s.can, func(c port.Capabilities) bool { return !c.White })
}

// refuses reports whether all workers refuse words that are out of range, as
// PROTOCOL.md has it in section 9. The original refuses nothing.
func (s subject) refuses() bool {
	return !slices.ContainsFunc(s.ports, func(name string) bool { return strings.HasPrefix(name, "python") })
}

// sees reports whether the outcome can be seen on the subject.
func (s subject) sees(o Outcome) bool {
	switch o {
	case Outcome(spec.WordsInRange), Outcome(spec.LockExclusive):
		return s.announces()
	case Refusal:
		return s.refuses()
	default:
		return true
	}
}

// needs returns an error that wraps ErrUnable if the ports lack what the
// scenario is about.
func (s subject) needs(sc spec.Scenario, control bool) error {
	lacks := func(capability, workers string, some []port.Capabilities, has func(port.Capabilities) bool) error {
		if i := slices.IndexFunc(some, func(c port.Capabilities) bool { return !has(c) }); i >= 0 {
			return fmt.Errorf("%w: port %s has not the capability %s, which %s; take one that has it (go, c, rust)", ErrUnable, s.ports[i], capability, workers)
		}
		return nil
	}
	withdraws := func(c port.Capabilities) bool { return c.Withdraw }
	switch {
	case sc == spec.Fork:
		return s.forkable()
	case len(s.can) == 0:
	case sc == spec.Withdraw:
		return lacks("withdraw", "all workers need", s.can, withdraws)
	case sc == spec.AbandonWait && control:
		return lacks("withdraw", "worker 0 needs", s.can[:1], withdraws)
	case sc == spec.AbandonWait:
		return lacks("abandon", "worker 0 needs", s.can[:1], func(c port.Capabilities) bool { return c.Abandon })
	}
	return nil
}
