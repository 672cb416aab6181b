//go:build linux

package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	run.ServeWorker()
	os.Exit(m.Run())
}

func options(name string, without ...string) Options {
	return Options{Port: name, Without: without, For: 300 * time.Millisecond, Stall: 5 * time.Minute, Seed: 1}
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

// TestGolden_Ports checks every port of the repository. The results are the table
// of PORTING.md. With -short it checks the go port only, without the longest tour.
func TestGolden_Ports(t *testing.T) {
	if testing.Short() {
		checkPort(t, "go", "tour n=3")
		return
	}
	t.Parallel()
	header := []string{"port"}
	for _, c := range Checks {
		header = append(header, c.Name)
	}
	table := make([][]string, len(ports)+1)
	table[0] = header
	t.Run("ports", func(t *testing.T) {
		for i, p := range ports {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				porttest.Need(t, p.name)
				row := []string{"`" + p.name + "`"}
				for _, r := range checkPort(t, p.name, p.without...) {
					row = append(row, cell(r))
				}
				table[i+1] = row
			})
		}
	})
	for i, p := range ports {
		if table[i+1] == nil {
			t.Skipf("port %s was skipped, so the table cannot be compared", p.name)
		}
	}
	goldenTable(t, "ports", golden.Table(table))
}

// checkPort fails the test unless the port passes.
func checkPort(t *testing.T, name string, without ...string) []Result {
	t.Helper()
	results, err := Run(t.Context(), options(name, without...))
	if err != nil {
		t.Fatal(err)
	}
	if last := results[len(results)-1]; !Passed(results) {
		t.Errorf("%s, %s: %v, %s", name, last.Check, last.Verdict, last.Found)
	}
	return results
}

// cell is the part of a result that is the same in every run.
func cell(r Result) string {
	switch {
	case r.Verdict == spec.Unfinished:
		return "–"
	case r.Verdict == spec.Passed && strings.HasPrefix(r.Check, "tour"):
		return r.Found
	default:
		return string(r.Verdict)
	}
}

// TestHazard_MutantsOfC wants each mistake of the C port found; with -short, three
// of them.
func TestHazard_MutantsOfC(t *testing.T) {
	porttest.Need(t, "c")
	mutants := registry.CMutants()
	if want := 27; len(mutants) != want {
		t.Errorf("the C port has %d mutants, want %d", len(mutants), want)
	}
	if testing.Short() {
		mutants = []string{"no-drain", "no-words-check", "other-layout"}
	} else {
		t.Parallel()
	}
	// The tour of 3 processes finds no mistake that the one of 2 does not. A right
	// answer of the C port takes milliseconds, so the limit is short.
	o := options("", "tour n=3")
	o.Limit = 10 * time.Second
	scores, err := Scores(t.Context(), o, mutants, func() {})
	if err != nil {
		t.Fatal(err)
	}
	by, found := map[string][]string{}, 0
	for _, s := range scores {
		if s.By == "" {
			t.Errorf("c@%s passes all checks", s.Mutant)
		} else {
			found++
		}
		t.Logf("%s: %s", s.Mutant, s.Found)
		by[s.By] = append(by[s.By], "`"+s.Mutant+"`")
	}
	if testing.Short() {
		return
	}
	table := [][]string{{"found by", "mistakes"}}
	for _, c := range Checks {
		if len(by[c.Name]) > 0 {
			table = append(table, []string{c.Name, strings.Join(by[c.Name], ", ")})
		}
	}
	goldenTable(t, "mutants", fmt.Sprintf("%s\nScore: %d of %d, %d %%.\n", golden.Table(table), found, len(mutants), 100*found/len(mutants)))
}

// TestGolden_Checks compares the list of checks in PORTING.md.
func TestGolden_Checks(t *testing.T) {
	table := [][]string{{"check", "asks"}}
	for _, c := range Checks {
		table = append(table, []string{c.Name, c.Doc})
	}
	goldenTable(t, "checks", golden.Table(table))
}

func goldenTable(t *testing.T, name, want string) {
	t.Helper()
	golden.Part(t, "../PORTING.md", "table", name, want)
}
