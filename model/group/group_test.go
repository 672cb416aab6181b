package group

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

const page = "../../spec/GROUP.md"

var large = flag.Bool("large", false, "explore the large configurations of "+page+" too (minutes, and 6 GB)")

// small lists the configurations that take seconds together.
func small() (list []Config) {
	for _, e := range Explored {
		if !e.Large {
			list = append(list, e.Config)
		}
	}
	return list
}

// trace writes the states along a path.
func trace(cfg Config, path []Action) string {
	var b strings.Builder
	for i, to := range NewMachine(cfg).Along(path)[1:] {
		fmt.Fprintln(&b, path[i], to)
	}
	return b.String()
}

// TestConform_Group: no property is violated. Each step and each branch of
// GROUP.md is taken somewhere, and a member dies at each step. It makes the
// table of the page; with -large it explores the large configurations too, the
// numbers of which it takes from the page otherwise.
func TestConform_Group(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{{"members + foreign parties", "rounds", "deaths", "and", "states", "depth"}}
	var taken []int64
	for _, e := range Explored {
		cfg := e.Config
		row := []string{cfg.Parties(), fmt.Sprint(cfg.Rounds), fmt.Sprint(cfg.Deaths), strings.Join(cfg.May(), ", ")}
		if e.Large && !*large {
			numbers := regexp.MustCompile(regexp.QuoteMeta("| "+strings.Join(row, " | ")+" | ") + `(\d+) \| (\d+) \|\n`).FindSubmatch(text)
			if numbers == nil {
				t.Errorf("%s has no row %q; run this test with -large -update -timeout 1h", page, row)
				continue
			}
			rows = append(rows, append(row, string(numbers[1]), string(numbers[2])))
			continue
		}
		o := explore.Run(t.Context(), NewMachine(cfg), explore.Options{Liveness: true})
		if o.Verdict != spec.Verified {
			t.Errorf("%+v: %v %v\n%s", cfg, o.Verdict, o.Property, trace(cfg, o.Path))
		}
		rows = append(rows, append(row, fmt.Sprint(o.Distinct), fmt.Sprint(o.Depth)))
		taken = sum(taken, o.Taken)
	}
	golden.Part(t, page, "evidence", "explored", golden.Table(rows))
	for _, fault := range uncovered(Transitions(taken)) {
		t.Error(fault)
	}
}

func sum(a, b []int64) []int64 {
	a = append(a, make([]int64, len(b)-len(a))...)
	for i, n := range b {
		a[i] += n
	}
	return a
}

// An edge leads a thread from one step to another.
type edge struct{ at, next string }

// unseen are branches that the machine has no edge for. To try again what
// changes nothing is to wait; and as a member is the last one to come, a foreign
// party never is.
var unseen = map[edge]string{
	{"LockRound", "Gather"}:      "the lock is not free",
	{"Watch", "Watch"}:           "nobody is dead",
	{"AwaitDrain", "AwaitDrain"}: "exit is not n",
	{"AwaitFlag", "AwaitFlag"}:   "the flag is down",
	{"CountEnter", "ResetEnter"}: "enter is n",
	{"ResetEnter", "ResetExit"}:  "enter is n",
	{"ResetExit", "RaiseFlag"}:   "enter is n",
	{"RaiseFlag", "UnlockEnter"}: "enter is n",
}

// ofRoles are edges beyond those of a call: GROUP.md, section 7, and where a
// section returns to.
var ofRoles = map[edge]string{
	{"Break", "Claim"}:       "one who joins",
	{"Break", "Bury"}:        "one who joins or resets",
	{"Break", "Vacate"}:      "one who leaves",
	{"TurnBroken", "Claim"}:  "one who joins",
	{"TurnBroken", "Bury"}:   "one who joins or resets",
	{"TurnBroken", "Vacate"}: "one who leaves",
	{"Wake", "Watch"}:        "a guardian",
	{"Wake", "Begin"}:        "one who has joined or reset",
	{"Wake", ""}:             "one who has left",
}

// uncovered says which steps, branches and events of GROUP.md were not taken,
// and which edges GROUP.md does not have.
func uncovered(taken []Transition) (faults []string) {
	seen, dies, happens := map[edge]bool{}, map[string]bool{}, map[string]bool{}
	for _, tr := range taken {
		happens[tr.Event] = true
		switch e := (edge{tr.At, tr.Next}); tr.Event {
		case "Die":
			dies[tr.At] = true
		case "GiveUp":
			if tr.At == "Gather" {
				seen[e] = true
			}
		case "":
			seen[e] = true
		}
	}
	named := map[edge]bool{}
	branch := func(at, next string) {
		e := edge{at, next}
		named[e] = true
		if seen[e] == (unseen[e] != "") {
			faults = append(faults, fmt.Sprintf("%s to %s: taken %v", at, next, seen[e]))
		}
	}
	for _, s := range spec.AllMemberSteps {
		for _, b := range s.Next() {
			branch(s.String(), b.To.String())
		}
		if !dies[s.String()] && s != spec.Watch {
			faults = append(faults, fmt.Sprintf("no member dies at %v", s))
		}
	}
	for _, s := range spec.CallSteps {
		for _, b := range s.Next() {
			if next := b.To.String(); b.To != spec.LockWithdraw { // foreign parties do not withdraw here
				branch(s.String(), next)
			}
		}
	}
	for e := range ofRoles {
		branch(e.at, e.next)
	}
	for e := range seen {
		if !named[e] {
			faults = append(faults, fmt.Sprintf("%s to %q: GROUP.md has no such branch", e.at, e.next))
		}
	}
	for _, e := range events {
		if !happens[e] {
			faults = append(faults, fmt.Sprintf("event %s does not happen", e))
		}
	}
	slices.Sort(faults)
	return faults
}

// TestUnit_Uncovered: what is missing, or too much, is found.
func TestUnit_Uncovered(t *testing.T) {
	o := explore.Run(t.Context(), NewMachine(Config{Members: 2, Rounds: 1, Deaths: 1}), explore.Options{})
	faults := strings.Join(uncovered(append(Transitions(o.Taken), Transition{At: "Begin", Next: "Turn"})), "\n")
	for _, want := range []string{"event Join does not happen", "Bury to Claim: taken false", "no member dies at Vacate", `Begin to "Turn": GROUP.md has no such branch`} {
		if !strings.Contains(faults, want) {
			t.Errorf("with one death and a wrong edge: %s\nwant %q among these", faults, want)
		}
	}
}

// TestHazard_Mutants: each mistake is found, by the explorer or by the schedule.
// It makes the table of the page.
func TestHazard_Mutants(t *testing.T) {
	rows := [][]string{{"mutant", "mistake", "found by", "steps", "members + foreign parties"}}
	for i := range Mutants {
		m := &Mutants[i]
		by, steps, cfg := find(t, m)
		if by == "" {
			t.Errorf("%s: not found", m.Name)
		}
		rows = append(rows, []string{"`" + m.Name + "`", m.Doc, by, fmt.Sprint(steps), cfg.Parties()})
	}
	golden.Part(t, page, "evidence", "mutants", golden.Table(rows))
}

// find returns what finds the mutant, in how many steps, and where: the
// explorer by a property, or else the schedule.
func find(t *testing.T, m *Mutant) (by string, steps int, where Config) {
	var whole []Config // and not too large for a graph
	// The last one is too large to be explored whole.
	for _, cfg := range append(small(), Config{Members: 3, Rounds: 1, Deaths: 2, Joins: true}) {
		cfg.Mutant = m
		o := explore.Run(t.Context(), NewMachine(cfg), explore.Options{Liveness: true, MaxStates: 2e6})
		switch {
		case o.Verdict == spec.Violated || o.Verdict == spec.Hang:
			return fmt.Sprintf("`%v`", o.Property), len(o.Path), cfg
		case o.Verdict == spec.Verified && o.Distinct < 5e4:
			whole = append(whole, cfg)
		}
	}
	for _, cfg := range whole {
		if path := firstMismatch(cfg); path != nil {
			return "the schedule", len(path), cfg
		}
	}
	return "", 0, Config{}
}
