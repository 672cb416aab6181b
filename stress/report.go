//go:build linux

package main

import (
	"fmt"

	"sharedbarrier/model/cli"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

// commandLine returns the command that repeats a run, from the root of the
// repository.
func commandLine(c run.Config) string {
	parties := fmt.Sprintf("--procs %d", c.Procs)
	if c.Ports != nil {
		var ports []string
		for _, name := range c.Ports {
			ports = append(ports, report.AtRoot(name))
		}
		parties = registry.Flags(ports)
	}
	line := fmt.Sprintf("go run ./stress %s --rounds %d --for %v --stall %v --seed %d", parties, c.Rounds, c.For, c.Stall, c.Seed)
	for _, f := range c.Faults {
		line += fmt.Sprintf(" --fault %s", f)
	}
	if c.Trace != "" {
		line += " --trace " + cli.Quoted(c.Trace)
	}
	return line
}
