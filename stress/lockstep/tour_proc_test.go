//go:build linux

package lockstep

import (
	"fmt"
	"os"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/goport"
)

func TestMain(m *testing.M) {
	if port.IsGo(os.Args) {
		os.Exit(goport.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// goPorts starts a go port for each process; that of process 0 constructs if
// the scenario wants it.
func goPorts(t testing.TB, cfg model.Config) Starter {
	return func(p int, fine bool) (Party, error) {
		name := "go"
		if p == 0 && cfg.Scenario == spec.LateConstruction {
			name = "go@construct"
		}
		started, err := port.Start(t.Context(), name)
		if err != nil {
			return nil, err
		}
		return NewProcess(started, fine)
	}
}

func TestProc_Tour(t *testing.T) {
	for _, cfg := range []model.Config{
		{Scenario: spec.Single, Procs: 1},
		{Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Withdraw, Procs: 3},
	} {
		t.Run(fmt.Sprintf("scenario=%v/procs=%d", cfg.Scenario, cfg.Procs), func(t *testing.T) {
			g := NewGraph(cfg)
			walk, err := g.Tour()
			if err != nil {
				t.Fatal(err)
			}
			r := Run{Config: cfg, Start: goPorts(t, cfg)}
			rep, err := r.Tour(t.Context(), g, walk)
			if err != nil || rep.Verdict != spec.Passed || rep.Covered != g.Edges {
				t.Errorf("Tour: got %v, %d of %d edges, %v; want passed and all edges\n%s\n%s", rep.Verdict, rep.Covered, rep.Edges, err, rep.Why, rep.table)
			}
			t.Logf("%d edges, %d steps, %d of them blocked, %.0f steps/s", rep.Covered, rep.Steps, rep.Blocked, rep.Rate)
		})
	}
}
