//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port/porttest"
)

// quick returns options with which each scenario takes as long as its guided
// trials, and one at random.
func quick(scenarios ...spec.Scenario) Options {
	return Options{Scenarios: scenarios, Rounds: 1, Stall: time.Minute, Seed: 1}
}

func mustRun(t *testing.T, o Options) []Result {
	t.Helper()
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// TestProc_AllAsExpected tries every scenario of the model and every control.
// Each outcome that the model expects is seen, each situation that the workers
// can be driven to is met, and nothing else is.
func TestProc_AllAsExpected(t *testing.T) {
	scenarios := spec.AllScenarios[:spec.Fork]
	if testing.Short() {
		scenarios = []spec.Scenario{spec.Crash, spec.SplitLock}
	}
	results := mustRun(t, quick(scenarios...))
	for _, r := range results {
		if r.Verdict != spec.Passed || r.Trials == 0 || r.Rounds == 0 || r.Last.Scenario != r.Scenario.String() {
			t.Errorf("%s: %s, %s, after %d trials and %d rounds; want passed", r.name(), r.Verdict, r.Why, r.Trials, r.Rounds)
		}
		g := mustGrade(t, subject{procs: r.Procs}, r.Scenario, r.Control)
		for _, m := range oracle.AllMet {
			if g.driven.has(metGoal(m)) && !slices.Contains(r.Met, m.String()) {
				t.Errorf("%s: %v was not met, and the workers can be driven there", r.name(), m)
			}
		}
		for i, row := range r.Outcomes {
			if o := AllOutcomes[i]; row.Name != o.String() || row.Grade != g.grades[o] || (row.Grade == Expected) != (row.Seen > 0) && row.Grade != Allowed {
				t.Errorf("%s: %+v, want %v, graded %s", r.name(), row, o, g.grades[o])
			}
		}
	}
	if !testing.Short() {
		t.Run("page", func(t *testing.T) { page(t, results) })
	}
}

// page compares the output in README.md with the results of all scenarios of
// the model and those of fork: what was seen, and the verdicts. With -update the
// command of the page runs.
func page(t *testing.T, results []Result) {
	porttest.Need(t, forking)
	const path = "../README.md"
	o := Options{Scenarios: spec.AllScenarios, For: time.Minute, Stall: 10 * time.Second, Seed: uint64(time.Now().UnixNano())}
	if golden.Updating() {
		results = mustRun(t, o)
	} else {
		results = append(results, mustRun(t, quick(spec.Fork))...)
	}
	var text strings.Builder
	if err := Text(&text, results); err != nil {
		t.Fatal(err)
	}
	want := "```console\n$ go run ./stress --scenario all --for 60s\n" + text.String() + "```\n"
	if !golden.Updating() {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, got, _ := strings.Cut(string(page), "<!-- output:scenario -->\n")
		if got, _, _ = strings.Cut(got, "<!-- /output:scenario -->"); slices.Equal(shape(got), shape(want)) {
			want = got
		}
	}
	golden.Part(t, path, "output", "scenario", want)
}

var (
	columns = regexp.MustCompile(`  +`)
	counted = regexp.MustCompile(`^(\w+) \d+( \(.*\))?$`)
)

// shape returns the text without what differs from run to run: of a row of the
// table the name, the outcomes that every run shows, and the verdict. A run may
// meet all situations, or say below the table which it has not met.
func shape(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line == "\n" || strings.HasPrefix(line, "Not met by ") {
			continue
		}
		if c := columns.Split(strings.TrimSpace(line), -1); len(c) > 5 {
			line = fmt.Sprint(c[0], ": ", certain(c[3]), ", ", c[len(c)-1])
		}
		lines = append(lines, line)
	}
	return lines
}

// certain returns what the column seen has in every run: neither counts nor an
// outcome that is allowed or undecided, which a run may show or not.
func certain(seen string) (names []string) {
	for item := range strings.SplitSeq(seen, ", ") {
		switch c := counted.FindStringSubmatch(item); {
		case c == nil && item != "nothing":
			names = append(names, item)
		case c != nil && c[2] != " (allowed)" && c[2] != " (undecided)":
			names = append(names, c[1]+c[2])
		}
	}
	return names
}

// TestUnit_Shape: two runs of the same scenarios differ in counts, in widths, in
// what they have not met, and in what a run may show, be it the first in its
// column, the last or the only one. All else is told apart.
func TestUnit_Shape(t *testing.T) {
	const row = "growing  3  113  %s  2 forbidden: < 2.6 %%  7 of 7  %s\n"
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"NoHang 4, refusal 6", "NoHang 14,  refusal 3", false}, // no table of ours
		{"NoHang 4, refusal 6", "NoHang 14, refusal 3", true},
		{"NoHang 4, refusal 6", "NoEarlyExit 1 (allowed), NoHang 4, refusal 6", true},
		{"NoHang 4, refusal 6", "NoHang 4, NoEarlyExit 1 (allowed), refusal 6", true},
		{"NoHang 4, refusal 6", "NoHang 4, refusal 6, LockExclusive 2 (undecided)", true},
		{"nothing", "LockExclusive 13 (undecided)", true},
		{"nothing", "LockExclusive 13 (forbidden)", false},
		{"nothing", "LockExclusive 13", false},
		{"NoHang 4, refusal 6", "NoHang 4", false},
		{"NoHang 4", "NoHang 4 (forbidden)", false},
	} {
		one, other := fmt.Sprintf(row, c.one, "as expected"), fmt.Sprintf(row, c.other, "as expected")
		if got := slices.Equal(shape(one), shape(other)); got != c.same {
			t.Errorf("%q and %q: equal is %v, want %v", c.one, c.other, got, c.same)
		}
	}
	if slices.Equal(shape(fmt.Sprintf(row, "nothing", "passed")), shape(fmt.Sprintf(row, "nothing", "failed"))) {
		t.Error("two verdicts have one shape")
	}
	page := fmt.Sprintf(row, "nothing", "as expected") + "\n" + legend
	for below, same := range map[string]bool{"\nNot met by shrinking, control: overlap.\n": true, "\nUnfinished, growing: not seen.\n": false} {
		if got := slices.Equal(shape(page), shape(strings.Replace(page, "\n\n", "\n"+below+"\n", 1))); got != same {
			t.Errorf("a page without %q and one with it: equal is %v, want %v", below, got, same)
		}
	}
}

// TestGolden_Tables has the grades and the situations in README.md.
func TestGolden_Tables(t *testing.T) {
	rows := [][]string{{"grade", "means", "verdict"}}
	for _, g := range AllGrades {
		rows = append(rows, []string{string(g), g.Doc(), g.Verdict()})
	}
	golden.Part(t, "../README.md", "table", "grades", golden.Table(rows))
	rows = [][]string{{"situation", "is met when"}}
	for _, m := range oracle.AllMet {
		rows = append(rows, []string{"`" + m.String() + "`", m.Doc()})
	}
	golden.Part(t, "../README.md", "table", "situations", golden.Table(rows))
}

// TestHazard_EachObserver: a barrier with a mistake shows an outcome where
// callers keep the rules, and no other one before it: only the observer of this
// outcome finds the mistake. Where the model has the mistake, too, the outcome
// is allowed. (The tests of package run have barriers that only let callers go
// too early.)
func TestHazard_EachObserver(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, c := range []struct {
		mutant  string
		outcome Outcome
		verdict spec.Verdict
		rounds  int64         // enough to see it
		stall   time.Duration // a short one only where all wait
	}{
		{"no-lock-init", Outcome(spec.LockExclusive), spec.Violated, 1000, time.Minute},
		{"raise-two", Outcome(spec.WordsInRange), spec.Violated, 1, time.Minute},
		{"clear-to-zero", Outcome(spec.Quiescent), spec.Violated, 1, time.Minute}, // a second round would hang
		{"no-raise", Hang, spec.Hang, 1, 2 * time.Second},
	} {
		t.Run(c.mutant, func(t *testing.T) {
			name := "c@" + c.mutant
			porttest.Need(t, name)
			o := quick(spec.Reuse)
			o.Ports, o.tries, o.Rounds, o.Stall = []string{name, name}, -1, c.rounds, c.stall
			r := mustRun(t, o)[0]
			if r.Verdict != c.verdict || r.Why != c.outcome.String()+", which the model does not reach here" || r.Last.Verdict == spec.Passed {
				t.Errorf("verdict %s, %s; want %s, because of %v\n%+v", r.Verdict, r.Why, c.verdict, c.outcome, r.Outcomes)
			}
			g, err := subject{procs: 2, mutant: model.MutantNamed(c.mutant)}.grade(t.Context(), spec.Reuse, false)
			if err != nil || g.grades[c.outcome] != Allowed {
				t.Errorf("in the model with the mistake, %v is graded %v, %v; want allowed", c.outcome, g.grades[c.outcome], err)
			}
		})
	}
}

// TestHazard_EachGrade has each outcome seen and not seen with each grade.
func TestHazard_EachGrade(t *testing.T) {
	for _, o := range AllOutcomes {
		bad, code := spec.Violated, spec.ExitSafety
		if o == Hang || o == Death {
			bad, code = spec.Hang, spec.ExitHang
		}
		for _, c := range []struct {
			grade   Grade
			seen    int64
			verdict spec.Verdict
			code    int
		}{
			{Forbidden, 0, spec.Passed, spec.ExitOK}, {Forbidden, 1, bad, code},
			{Allowed, 0, spec.Passed, spec.ExitOK}, {Allowed, 1, spec.Passed, spec.ExitOK},
			{Expected, 0, spec.Unfinished, spec.ExitUnfinished}, {Expected, 1, spec.Passed, spec.ExitOK},
			{Undecided, 0, spec.Unfinished, spec.ExitUnfinished}, {Undecided, 1, spec.Passed, spec.ExitOK},
		} {
			tried := &trials{seen: map[Outcome]int64{}, rounds: 300, model: &grading{grades: map[Outcome]Grade{}}}
			for _, other := range AllOutcomes {
				tried.model.grades[other] = Forbidden
			}
			if tried.model.grades[o] = c.grade; c.seen > 0 {
				tried.seen[o] = c.seen
			}
			r := tried.result(t.Context())
			doc := quick().Document([]Result{r}, "again", false)
			if r.Verdict != c.verdict || doc.ExitCode() != c.code || (r.Why == "") != (c.verdict == spec.Passed) {
				t.Errorf("%v, %s, seen %d times: %s (%s), exit code %d; want %s, %d", o, c.grade, c.seen, r.Verdict, r.Why, doc.ExitCode(), c.verdict, c.code)
			}
			for _, row := range doc.Outcomes {
				if row.Outcome == o.String() && ((row.Bound > 0) != (c.seen == 0) || row.Passed != (c.verdict == spec.Passed) && c.grade != Undecided) {
					t.Errorf("%v, %s, seen %d times: the row is %+v", o, c.grade, c.seen, row)
				}
			}
		}
	}
	// A situation that the model does not reach is forbidden, too.
	tried := &trials{seen: map[Outcome]int64{}, rounds: 1, met: metGoal(oracle.TwoCounts), model: &grading{grades: map[Outcome]Grade{}}}
	if r := tried.result(t.Context()); r.Verdict != spec.Violated || !strings.Contains(r.Why, oracle.TwoCounts.Doc()) {
		t.Errorf("two-counts, unreachable: %s, %s; want violated", r.Verdict, r.Why)
	}
	// Nothing passes without a round, and nothing that a model reaches goes unsaid.
	tried = &trials{seen: map[Outcome]int64{}, model: &grading{shown: metGoal(oracle.OldFlag)}}
	if r := tried.result(t.Context()); r.Verdict != spec.Unfinished || !slices.Equal(r.NotMet, []string{"old-flag"}) {
		t.Errorf("no round: %s, not met %v; want unfinished, old-flag", r.Verdict, r.NotMet)
	}
}

// TestHazard_ExpectedAndNotSeen: without the trials that lead there, one trial
// does not show all that is expected of it. The result is unfinished, and says
// what was not seen. The same goes for what the control of fork forbids.
func TestHazard_ExpectedAndNotSeen(t *testing.T) {
	o := quick(spec.LateConstruction)
	o.tries = -1
	r := mustRun(t, o)[0]
	if r.Verdict != spec.Unfinished || !strings.Contains(r.Why, "not seen: ") || !strings.Contains(r.Why, "--for") {
		t.Errorf("verdict %s, %s; want unfinished, with what was not seen and what to do", r.Verdict, r.Why)
	}
	doc := o.Document([]Result{r}, "again", false)
	if doc.ExitCode() != spec.ExitUnfinished {
		t.Errorf("exit code %d, want %d", doc.ExitCode(), spec.ExitUnfinished)
	}
}

// TestHazard_GradesOfTheMutantModel: what is forbidden is allowed when the model
// reaches it. The same trials then pass.
func TestHazard_GradesOfTheMutantModel(t *testing.T) {
	const name = "c@clear-to-zero"
	porttest.Need(t, name)
	o := quick(spec.Reuse)
	o.Ports, o.tries, o.mutant = []string{name, name}, 1, model.MutantNamed("clear-to-zero")
	r := mustRun(t, o)[0]
	if r.Verdict != spec.Passed || r.Outcomes[3].Name != "Quiescent" || r.Outcomes[3].Seen == 0 {
		t.Errorf("%s, %s: %+v; want passed, and Quiescent seen", r.Verdict, r.Why, r.Outcomes)
	}
}

// TestHazard_Fork: forked children that use the handle of their parent hold the
// lock together. With a handle of its own, none does.
func TestHazard_Fork(t *testing.T) {
	porttest.Need(t, forking)
	o := quick(spec.Fork)
	results := mustRun(t, o)
	hazard, control := results[0], results[1]
	if hazard.Verdict != spec.Passed || hazard.Outcomes[2].Name != "LockExclusive" || hazard.Outcomes[2].Seen == 0 || hazard.Outcomes[2].Grade != Undecided {
		t.Errorf("inherited handles: %s, %s, %+v; want that two hold the lock", hazard.Verdict, hazard.Why, hazard.Outcomes)
	}
	if !control.Control || control.Verdict != spec.Passed || control.Outcomes[2].Grade != Forbidden || control.Rounds < trialRounds {
		t.Errorf("own handles: %s, %s, %d rounds, %+v; want passed", control.Verdict, control.Why, control.Rounds, control.Outcomes)
	}
}

// TestUnit_LeftOut: what the ports cannot do is left out with a reason, and an
// error if nothing else is left.
func TestUnit_LeftOut(t *testing.T) {
	porttest.Need(t, "c")
	for _, c := range []struct {
		scenario spec.Scenario
		ports    []string
		want     string
	}{
		{spec.LateConstruction, []string{"c", "c"}, "construct"},
		{spec.Single, []string{"go", "go"}, "1 process"},
		{spec.Fork, []string{"go", "c"}, "--port c=2"},
		{spec.Withdraw, []string{"go", "go@construct"}, ""},
	} {
		o := quick(c.scenario)
		o.Ports = c.ports
		_, err := o.cases(t.Context())
		if c.want == "" {
			if err != nil {
				t.Errorf("%v on %v: %v, want no error", c.scenario, c.ports, err)
			}
			continue
		}
		if !errors.Is(err, ErrUnable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v on %v: %v, want that it is left out, with %q", c.scenario, c.ports, err, c.want)
		}
	}
	o := quick(spec.Reuse)
	o.Controls = true
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no control") {
		t.Errorf("the control of reuse: %v, want that there is none", err)
	}
}

// TestUnit_Command: the command that a document has asks for the same.
func TestUnit_Command(t *testing.T) {
	o := Options{Controls: true, Ports: []string{"c", "c", "python"}, Rounds: 7, For: time.Second, Stall: time.Minute, Seed: 9}
	want := "go run ./stress --scenario crash --control --port c=2 --port python=1 --rounds 7 --for 1s --stall 1m0s --seed 9"
	if got := o.Command("crash"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprintln(worst(spec.Passed, spec.Unfinished), worst(spec.Hang, spec.Unfinished), worst(spec.Hang, spec.Violated)); got != "unfinished hang violated\n" {
		t.Errorf("the worst verdicts are %s", got)
	}
}

// A row of a control names its scenario, unless it is below that of the scenario.
func TestUnit_ControlsAreNamed(t *testing.T) {
	var text strings.Builder
	results := []Result{{Scenario: spec.Crash, Control: true}, {Scenario: spec.Surplus}, {Scenario: spec.Surplus, Control: true}}
	summary(&text, results)
	lines := strings.Split(text.String(), "\n")
	for i, want := range []string{"scenario ", "crash, control ", "surplus ", "  control "} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want it to begin with %q", i, lines[i], want)
		}
	}
}
