//go:build linux

package lockstep

import (
	"flag"
	"os"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/port/registry"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	// Schedules of a few rounds on average. Flags that are given override both.
	flag.Set("rapid.steps", "250")
	flag.Set("rapid.checks", "50")
	reexec.Main(m, map[string]func(){"mutant": func() {
		newCoroutine(false, mutantNamed(os.Args[1])).serve(os.Stdin, os.Stdout)
	}})
}

// ports starts the port for each process. Process 0 constructs if the scenario
// wants it, by a go port where this one attaches.
func ports(t testing.TB, name string, cfg model.Config) starter {
	return func(p int, splitRMW bool) (party, error) {
		name := name
		if p == 0 && cfg.Scenario == spec.LateConstruction && name != "python" {
			name = "go@construct"
		}
		return startPort(t.Context(), name, splitRMW)
	}
}
