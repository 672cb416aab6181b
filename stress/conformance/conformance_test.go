//go:build linux

package conformance_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	run.ServeWorker()
	os.Exit(m.Run())
}

func trial(name string) conformance.Trial {
	return conformance.Trial{Port: name, For: 300 * time.Millisecond, Stall: 5 * time.Minute, Seed: 1}
}

// ports are those of the repository, each with the checks that it is known not
// to pass.
var ports = []struct {
	name    string
	without []string
}{
	{"go", nil},
	{"c", nil},
	{"python", nil},
	{"python@newest", nil},
	{"python@unlinking", nil},
	{"python@old", []string{"unlinking peer"}},
	{"rust", nil},
}

// TestGolden_Table checks every port of the repository; what was found is the
// table of PORTING.md.
func TestGolden_Table(t *testing.T) {
	rows := map[string][]conformance.Result{}
	t.Run("ports", func(t *testing.T) {
		for _, p := range ports {
			t.Run(p.name, func(t *testing.T) {
				porttest.Need(t, p.name)
				q := trial(p.name)
				q.Without = p.without
				results, err := conformance.Run(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				rows[p.name] = results
				if last := results[len(results)-1]; !conformance.Passed(results) {
					t.Errorf("%s, %s: %v, %s", p.name, last.Check, last.Verdict, last.Found)
				}
			})
		}
	})
	header := []string{"port"}
	for _, c := range conformance.Checks {
		header = append(header, c.Name)
	}
	table := [][]string{header}
	for _, p := range ports {
		results, made := rows[p.name]
		if !made {
			t.Skipf("port %s was skipped, so that the table cannot be compared", p.name)
		}
		row := []string{"`" + p.name + "`"}
		for _, r := range results {
			row = append(row, cell(r))
		}
		table = append(table, row)
	}
	goldenTable(t, "ports", golden.Table(table))
}

// cell is what does not differ from one run to the next.
func cell(r conformance.Result) string {
	switch {
	case r.Verdict == spec.Unfinished:
		return "–"
	case r.Verdict == spec.Passed && strings.HasPrefix(r.Check, "tour"):
		return r.Found
	default:
		return string(r.Verdict)
	}
}

// TestHazard_MutantsOfC wants each mistake of the C port found.
func TestHazard_MutantsOfC(t *testing.T) {
	porttest.Need(t, "c")
	mutants := registry.CMutants()
	if len(mutants) < 8 {
		t.Errorf("the C port has %d mutants, want at least 8", len(mutants))
	}
	// Those that are found by their silence take half a minute each: all at once.
	// The larger tour takes long, and finds no mistake that the smaller one does not.
	scores := make([]conformance.Score, len(mutants))
	var all sync.WaitGroup
	for i, mutant := range mutants {
		all.Go(func() {
			q := trial("c@" + mutant)
			q.Without = []string{"tour n=3"}
			results, err := conformance.Run(t.Context(), q)
			if err != nil {
				t.Errorf("c@%s: %v", mutant, err)
				return
			}
			scores[i] = conformance.ScoreOf(mutant, results)
		})
	}
	all.Wait()
	table, found := [][]string{{"mistake", "found by"}}, 0
	for i, mutant := range mutants {
		if scores[i].By == "" {
			t.Errorf("c@%s passes all checks", mutant)
		} else {
			found++
		}
		t.Logf("%s: %s", mutant, scores[i].Found)
		table = append(table, []string{"`" + mutant + "`", scores[i].By})
	}
	goldenTable(t, "mutants", fmt.Sprintf("%s\nScore: %d of %d, %d %%.\n", golden.Table(table), found, len(mutants), 100*found/len(mutants)))
}

// TestGolden_Checks holds the list of checks in the page against the package's.
func TestGolden_Checks(t *testing.T) {
	table := [][]string{{"check", "asks"}}
	for _, c := range conformance.Checks {
		table = append(table, []string{c.Name, c.Asks})
	}
	goldenTable(t, "checks", golden.Table(table))
}

// goldenTable compares a table of PORTING.md against what it should be.
func goldenTable(t *testing.T, name, want string) {
	t.Helper()
	golden.Part(t, "../../PORTING.md", "table", name, want)
}
