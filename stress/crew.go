//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port/registry"
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
		name, count, err := registry.Parse(flag)
		if err != nil {
			return nil, err
		}
		c.names = append(c.names, slices.Repeat([]string{name}, count)...)
		if seen[name] {
			continue
		}
		seen[name] = true
		p, err := registry.Start(ctx, name)
		if err != nil {
			return nil, err
		}
		c.withdraws = c.withdraws && p.Can().Withdraw
		white := p.Can().White
		p.Kill()
		if !white {
			return nil, fmt.Errorf("port %s is not white box, and lockstep needs that (spec/PORTS.md, section 3)", name)
		}
	}
	return c, nil
}

func (c *crew) run(cfg model.Config) lockstep.Driver {
	var names []string
	for p := range cfg.Procs {
		names = append(names, c.names[p%len(c.names)])
	}
	return c.runOf(cfg, names)
}

// runOf is a run of ports with the names.
func (c *crew) runOf(cfg model.Config, names []string) lockstep.Driver {
	return lockstep.Driver{Config: cfg, Ports: names, Start: func(p int, splitRMW bool) (lockstep.Party, error) {
		return lockstep.StartPort(c.ctx, names[p], splitRMW)
	}}
}

// fits returns an error if some of the ports that were asked for have no process.
func (c *crew) fits(procs int) error {
	if len(c.names) > procs {
		return fmt.Errorf("--port gives %d processes, and there are %d; give as many at most: fewer are taken from the first again", len(c.names), procs)
	}
	return nil
}

// constructor is the port that constructs where a scenario wants one that does
// and the port that was asked for attaches.
const constructor = "go@construct"
