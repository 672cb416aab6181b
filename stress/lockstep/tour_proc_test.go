//go:build linux

package lockstep

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/port"
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

// mutantNamed returns nil for the empty name, which is the port without a
// mistake.
func mutantNamed(name string) *mutant {
	for i := range mutants {
		if mutants[i].name == name {
			return &mutants[i]
		}
	}
	return nil
}

// ports starts the port for each process. Process 0 constructs if the scenario
// wants it, by a go port where this one attaches.
func ports(t testing.TB, name string, cfg model.Config) Starter {
	return func(p int, splitRMW bool) (Party, error) {
		name := name
		if p == 0 && cfg.Scenario == spec.LateConstruction && name != "python" {
			name = "go@construct"
		}
		return StartPort(t.Context(), name, splitRMW)
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
			r := Driver{Config: cfg, Start: ports(t, "go", cfg)}
			rep, err := r.Tour(t.Context(), g, walk)
			if err != nil || rep.Verdict != spec.Passed || rep.Covered != g.Edges {
				t.Errorf("Tour: got %v, %d of %d edges, %v; want passed and all edges\n%s\n%s", rep.Verdict, rep.Covered, rep.Edges, err, rep.Why, rep.table)
			}
			t.Logf("%d edges, %d steps, %d of them blocked, %.0f steps/s", rep.Covered, rep.Steps, rep.Blocked, rep.Rate)
		})
	}
}

// TestProc_WrongPorts: a wrong port in a process of its own fails the tour
// beside one that is right, and the command that is printed shows it again. The
// same program without the mistake passes.
func TestProc_WrongPorts(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	g := NewGraph(cfg)
	walk, err := g.Tour()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append([]mutant{{}}, mutants...) {
		t.Run("mutant="+m.name, func(t *testing.T) {
			right := ports(t, "go", cfg)
			r := Driver{Config: cfg, Ports: []string{"go", "mutant " + m.name}, Start: func(p int, splitRMW bool) (Party, error) {
				if p == 0 {
					return right(p, splitRMW)
				}
				started, err := port.StartInGroup(t.Context(), "wrong", reexec.Command(context.Background(), "mutant", m.name), port.Limit)
				if err != nil {
					return nil, err
				}
				return NewProcess(started, splitRMW)
			}}
			rep, err := r.Tour(t.Context(), g, walk)
			if m.name == "" {
				if err != nil || rep.Verdict != spec.Passed || rep.Covered != g.Edges {
					t.Errorf("Tour without a mistake: got %v, %v, want passed\n%s\n%s", rep.Verdict, err, rep.Why, rep.table)
				}
				return
			}
			if err != nil || rep.Verdict != spec.Violated {
				t.Fatalf("Tour: got %v, %d edges, %v; want violated", rep.Verdict, rep.Covered, err)
			}
			t.Logf("caught after %d of %d edges: %s", rep.Covered, rep.Edges, rep.Why)
		})
	}
}
