package explore

import (
	"context"
	"fmt"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestGolden_Sizes counts states and orbits.
func TestGolden_Sizes(t *testing.T) {
	count := func(sc spec.Scenario, n int, symmetry bool) (distinct string, depth int) {
		r := Explore(context.Background(), model.Config{Scenario: sc, Procs: n}, Options{Symmetry: symmetry})
		if r.Verdict != spec.Verified {
			t.Errorf("%v with %d processes: %s, want verified", sc, n, brief(r.Result))
		}
		return fmt.Sprint(r.Distinct), r.Depth
	}
	table := "| n | `reuse` | orbits | depth | `withdraw` | orbits | depth |\n|---|---|---|---|---|---|---|\n"
	for _, n := range []int{1, 2, 3, 4, 5, 8} {
		row := fmt.Sprintf("| %d |", n)
		for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
			states := ""
			if n <= 5 {
				states, _ = count(sc, n, false)
			}
			orbits, depth := count(sc, n, true)
			row += fmt.Sprintf(" %s | %s | %d |", states, orbits, depth)
		}
		table += row + "\n"
	}
	golden.Part(t, "../README.md", "table", "sizes", table)
}

// grounds are where mutants are tried, each with the mark that it has in the
// table: three processes, no bound on rounds but where the party count changes.
var grounds = []struct {
	mark string
	cfg  model.Config
}{
	{"", model.Config{Scenario: spec.Reuse, Procs: 3}},
	{"w", model.Config{Scenario: spec.Withdraw, Procs: 3}},
	{"f", model.Config{Scenario: spec.SplitLock, Procs: 3, Control: true}},
	{"c", model.Config{Scenario: spec.Shrinking, Procs: 3, Rounds: 2, Control: true}},
}

// TestHazard_MutantsAreCaught tries every mutant with every property, and
// prints the table of which property catches which.
func TestHazard_MutantsAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("TestConform_Naive tries every mutant")
	}
	table := "| mutant | mistake | `NoEarlyExit` | `WordsInRange` | `LockExclusive` | `NoHang` | `Quiescent` |\n|---|---|---|---|---|---|---|\n"
	catches := map[spec.Property]int{}
	for i := range model.Mutants {
		m := &model.Mutants[i]
		row := fmt.Sprintf("| `%s` | %s |", m.Name, m.Doc)
		caught := map[string]bool{} // by mark
		for _, p := range spec.AllProperties {
			mark, steps := try(t, m, p)
			row += fmt.Sprintf(" %s |", mark+steps)
			if steps != "" && steps != "?" {
				caught[mark] = true
				catches[p]++
			}
		}
		table += row + "\n"
		constant := caught[""] || caught["w"] || caught["f"]
		if constant == (m.Why != "") {
			t.Errorf("mutant %s: caught while the party count is constant: %v, and why it should not be: %q", m.Name, constant, m.Why)
		}
	}
	for _, p := range spec.AllProperties {
		if catches[p] == 0 {
			t.Errorf("property %v catches no mutant", p)
		}
	}
	table += "\nThose that are no mistakes while the party count stays the same:\n\n"
	for _, m := range model.Mutants {
		if m.Why != "" {
			table += fmt.Sprintf("- `%s`: %s.\n", m.Name, m.Why)
		}
	}
	golden.Part(t, "../README.md", "table", "mutants", table)
}

// try returns the first ground on which p catches the mutant, and the length of
// the counterexample there; a question mark if none does and on some the words
// go so far out of range that the explorer does not follow. Every other ground
// is explored to its end.
func try(t *testing.T, m *model.Mutant, p spec.Property) (mark, steps string) {
	for _, g := range grounds {
		g.cfg.Mutant = m
		live := p == spec.NoHang
		r := Explore(context.Background(), g.cfg, Options{Check: []spec.Property{p}, Liveness: live, Symmetry: !live})
		switch {
		case r.Verdict == spec.Violated || r.Verdict == spec.Hang:
			return g.mark, fmt.Sprint(len(r.Trace))
		case r.Why == reasons[outOfPack]:
			steps = "?"
		case r.Verdict != spec.Verified:
			t.Errorf("mutant %s, %v on ground %q: %s", m.Name, p, g.mark, brief(r.Result))
		}
	}
	return "", steps
}
