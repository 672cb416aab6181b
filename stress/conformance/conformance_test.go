//go:build linux

package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	run.ServeWorker()
	ServeGated()
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		flag.Set("test.parallel", "12") // the tests wait most of the time
	}
	os.Exit(m.Run())
}

func options(name string, without ...string) Options {
	return Options{Port: name, Without: without, For: 300 * time.Millisecond, Stall: 5 * time.Minute, Seed: 1, brief: true}
}

// notTheLock are checks that are not about the lock. The variants of python
// differ in their lock only.
var notTheLock = []string{
	"conversation", "attaching", "tour n=3", "alone", "in a call", "sections", "schedules n=2", "schedules n=3",
	"polls", "counts", "pace", "idle waits", "prompt", "many calls", "long waits",
}

// shipped are the ports of the repository, each with the checks that are not made.
var shipped = []struct {
	name    string
	without []string
}{
	{"go", nil},
	{"c", nil},
	{"python", nil},
	{"python@newest", notTheLock},
	{"python@unlinking", notTheLock},
	{"python@old", notTheLock},
	{"rust", nil},
}

// TestGolden_Ports checks every port of the repository. The results are the
// table of PORTING.md. With -short it checks the go port only, without the
// longest tour.
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
	table := make([][]string, len(shipped)+1)
	table[0] = header
	t.Run("ports", func(t *testing.T) {
		for i, p := range shipped {
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
	for i, p := range shipped {
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

// mistakes are the mutants of the C port, by the check that is made for them.
// The command makes all checks; others may find a mistake first.
var mistakes = []struct {
	check   string
	mutants []string
}{
	{"conversation", []string{"close-resets", "close-unlinks", "long-error", "no-end", "other-layout", "second-open", "white-giveup", "wide-count"}},
	{"attaching", []string{"name-100", "no-size-check", "no-words-check", "open-any-name", "open-chmod", "open-constructs", "open-constructs-idle", "open-constructs-zero", "open-creates", "open-follows-link", "open-once", "open-sizes",
		"open-takes-16", "open-takes-page", "open-writes-back"}},
	{"tour n=2", []string{"always-first", "clear-to-zero", "count-enter-late", "count-exit-early", "drain-locked", "init-exit-always", "keep-lock-enter", "keep-lock-init", "lower-unlocked", "never-first", "no-count-exit", "no-lock-first", "no-lock-init",
		"no-lock-withdraw", "no-raise", "no-test-flag", "private-mapping", "raise-before-reset", "raise-two", "reset-exit-one", "test-again", "withdraw-anyway"}},
	{"lock file", []string{"no-cloexec", "old-lock-file"}},
	{"lock path", []string{"open-needs-lock", "path-1024", "path-ascii", "path-percent", "path-to-space"}},
	{"lock open", []string{"creates-always"}},
	{"lock stays", []string{"unlink-on-release"}},
	{"lock contents", []string{"pid-in-lock", "truncate-lock"}},
	{"lock replaced", []string{"keeps-descriptor"}},
	{"in a call", []string{"close-in-call", "no-refusal", "uncounted-abandon"}},
	{"withdrawal", []string{"lost-in-buffer"}},
	{"sections", []string{"black-no-lock-enter", "black-lower-unlocked", "black-no-lock-exit", "black-shared-lock", "black-uncount-all", "black-withdraw-exit", "black-withdraw-unlocked", "close-only", "holds-long", "no-lock-enter",
		"no-lock-exit", "stale-count", "uncount-to-zero"}},
	{"lock unlinked", []string{"no-link-count"}},
	{"schedules n=2", []string{"black-lock-blocks", "black-no-test-flag", "black-record-lock", "black-withdraw-drain", "black-withdrawn-complete", "count-enter-early", "excl-lock", "late-giveup", "no-await-flag", "no-clear-exit", "no-drain", "no-init-exit", "no-lower",
		"no-reset-enter", "no-reset-exit", "no-uncount", "ofd-lock", "record-lock"}},
	{"out of range", []string{"keep-lock-on-error", "no-enter-check", "no-exit-check"}},
	{"polls", []string{"black-await-enter"}},
	{"counts", []string{"count-8-bits", "first-count", "four-of-five"}},
	{"pace", []string{"slow-poll", "slow-tick"}},
	{"idle waits", []string{"burns-draining", "busy-wait"}},
	{"prompt", []string{"lock-naps-grow"}},
	{"many calls", []string{"call-limit", "call-skipped", "leak-descriptor", "leak-file", "leak-memory", "leak-thread"}},
	{"long waits", []string{"few-looks", "leak-attempt", "lock-attempts", "wait-enough", "wait-limit"}},
}

// TestHazard_MutantsOfC makes for each mistake of the C port the check that is
// made for it; with -short, for three of them. The scores are the table of
// PORTING.md.
func TestHazard_MutantsOfC(t *testing.T) {
	porttest.Need(t, "c")
	var all []string
	for _, m := range mistakes {
		all = append(all, m.mutants...)
	}
	slices.Sort(all)
	if mutants := registry.CMutants(); !slices.Equal(all, mutants) {
		t.Errorf("the C port has the mutants %v, and checks are made for %v", mutants, all)
	}
	if !testing.Short() {
		t.Parallel()
	}
	found := make([]atomic.Int32, len(mistakes))
	var made atomic.Int32 // fewer than all with -run
	t.Run("mutants", func(t *testing.T) {
		for i, m := range mistakes {
			for _, mutant := range m.mutants {
				if testing.Short() && !slices.Contains([]string{"no-words-check", "second-open", "pid-in-lock"}, mutant) {
					continue
				}
				t.Run(mutant, func(t *testing.T) {
					if !testing.Short() {
						t.Parallel()
					}
					made.Add(1)
					if finds(t, m.check, mutant) {
						found[i].Add(1)
					}
				})
			}
		}
	})
	if int(made.Load()) < len(all) {
		return
	}
	table, sum := [][]string{{"check", "found", "mistakes"}}, 0
	for i, m := range mistakes {
		sum += int(found[i].Load())
		table = append(table, []string{m.check, fmt.Sprintf("%d of %d", found[i].Load(), len(m.mutants)), "`" + strings.Join(m.mutants, "`, `") + "`"})
	}
	table = append(table, []string{"all", fmt.Sprintf("%d of %d", sum, len(all)), ""})
	goldenTable(t, "mutants", golden.Table(table))
}

// finds fails the test unless the check finds the mutant, and lists the clause
// that its message names.
func finds(t *testing.T, check, mutant string) bool {
	t.Helper()
	var without []string
	for _, c := range Checks {
		if c.Name != check {
			without = append(without, c.Name)
		}
	}
	o := options("c@"+mutant, without...)
	o.Limit = 3 * time.Second                     // a right answer of the C port takes milliseconds
	o.Thorough = slices.Contains(patient, mutant) // and not brief
	o.brief = !o.Thorough
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := score(mutant, results)
	if s.By != check {
		t.Errorf("c@%s passes check %q: %v", mutant, check, results)
		return false
	}
	t.Log(s.Found)
	if strange := undeclared(s); len(strange) > 0 {
		t.Errorf("c@%s breaks %v by check %q, which lists other clauses", mutant, strange, check)
	}
	return true
}

// undeclared returns the clauses that the message names and the check does not.
func undeclared(s Score) (list []string) {
	check := Checks[slices.IndexFunc(Checks, func(c Check) bool { return c.Name == s.By })]
	for _, m := range regexp.MustCompile(`(\w+\.md), sections? (\d+)(?:, number (\d+))?`).FindAllStringSubmatch(s.Found, -1) {
		if !slices.ContainsFunc(check.Clauses, func(c Clause) bool {
			return c.Page == m[1] && strconv.Itoa(c.Section) == m[2] && (c.Number == 0 || strconv.Itoa(c.Number) == m[3])
		}) {
			list = append(list, m[0])
		}
	}
	return list
}

// patient are mistakes that --thorough finds for certain, and the default form
// on a machine that makes enough calls.
var patient = []string{"call-limit"}

// TestHazard_NoPort: a check whose port cannot be started, here since the run has
// ended, says so.
func TestHazard_NoPort(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	for _, c := range Checks {
		s := newSubject(ctx, "go")
		s.can = port.Capabilities{White: true, Withdraw: true, Abandon: true}
		if _, err := c.run(s); err == nil || accuses(err) {
			t.Errorf("%s: got %v, want an error that accuses no port", c.Name, err)
		}
	}
}

// TestGolden_Checks compares the list of checks in PORTING.md.
func TestGolden_Checks(t *testing.T) {
	table := [][]string{{"check", "asks", "clauses"}}
	for _, c := range Checks {
		var clauses []string
		for _, clause := range c.Clauses {
			clauses = append(clauses, fmt.Sprintf("[%s](../spec/%s)", clause.Short(), clause.Anchor()))
		}
		table = append(table, []string{c.Name, c.Doc, strings.Join(clauses, " ")})
	}
	goldenTable(t, "checks", golden.Table(table))
}

func goldenTable(t *testing.T, name, want string) {
	t.Helper()
	golden.Part(t, "../PORTING.md", "table", name, want)
}
