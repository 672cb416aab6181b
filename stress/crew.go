//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port"
)

// A crew is which ports take part.
type crew struct {
	ctx       context.Context
	names     []string
	withdraws bool // all can withdraw
}

// newCrew starts each port once to see what it can do.
func newCrew(ctx context.Context, flags []string) (*crew, error) {
	if len(flags) == 0 {
		flags = []string{"go"}
	}
	c := &crew{ctx: ctx, withdraws: true}
	seen := map[string]bool{}
	for _, flag := range flags {
		name, count, err := port.Parse(flag)
		if err != nil {
			return nil, err
		}
		c.names = append(c.names, slices.Repeat([]string{name}, count)...)
		if seen[name] {
			continue
		}
		seen[name] = true
		p, err := port.Start(ctx, name)
		if err != nil {
			return nil, err
		}
		c.withdraws = c.withdraws && p.Can().Withdraw
		white := p.Can().White
		p.Kill()
		if !white {
			return nil, fmt.Errorf("port %s is not white box, and lockstep needs that (spec/PROTOCOL.md, section 14)", name)
		}
	}
	return c, nil
}

func (c *crew) run(cfg model.Config) lockstep.Run {
	var names []string
	for p := range cfg.Procs {
		names = append(names, c.names[p%len(c.names)])
	}
	return c.runOf(cfg, names)
}

// runOf is a run of ports with the names.
func (c *crew) runOf(cfg model.Config, names []string) lockstep.Run {
	return lockstep.Run{Config: cfg, Ports: names, Start: func(p int, fine bool) (lockstep.Party, error) {
		started, err := port.Start(c.ctx, names[p])
		if err != nil {
			return nil, err
		}
		return lockstep.NewProcess(started, fine)
	}}
}

// constructor is the port that constructs where a scenario wants one that does
// and the port that was asked for attaches.
const constructor = "go@construct"

// trace replays the trace of a record. Where it refutes a property, that must be
// seen; of a lasso, that it goes round.
func (c *crew) trace(cfg model.Config, s lockstep.Schedule, res model.Result) lockstepRun {
	p, err := spec.ParseProperty(res.Property)
	if err != nil || res.Loop > 0 {
		return c.replay(cfg, s)
	}
	return lockstepRun{c.run(cfg), c, len(s), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
		rep, err := r.Hazard(ctx, lockstep.Hazard{Config: cfg, Property: p, Schedule: s})
		rep.Mode = "schedule"
		return rep, err
	}}
}

func (c *crew) replay(cfg model.Config, s lockstep.Schedule) lockstepRun {
	return lockstepRun{c.run(cfg), c, cmp.Or(len(s), 1), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
		return r.Replay(ctx, s)
	}}
}
