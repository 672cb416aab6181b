package proof_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// A cell is one of the tables of PROTOCOL.md.
type cell string

// eval is the value of a word, a number, n, or one of them and a number.
func (s cell) eval(w spec.Words, n int) int {
	if left, right, ok := strings.Cut(string(s), " + "); ok {
		return cell(left).eval(w, n) + cell(right).eval(w, n)
	}
	if left, right, ok := strings.Cut(string(s), " − "); ok {
		return cell(left).eval(w, n) - cell(right).eval(w, n)
	}
	switch s {
	case "n":
		return n
	case "enter":
		return int(w.Enter)
	case "exit":
		return int(w.Exit)
	case "flag":
		return int(w.Flag)
	}
	k, err := strconv.Atoi(strings.Replace(string(s), "−", "-", 1))
	if err != nil {
		panic(fmt.Sprintf("no value: %q", s))
	}
	return k
}

// holds is the truth of a condition; the empty one holds.
func (s cell) holds(w spec.Words, n int) bool {
	if left, right, ok := strings.Cut(string(s), " = "); ok {
		return cell(left).eval(w, n) == cell(right).eval(w, n)
	}
	if left, right, ok := strings.Cut(string(s), " ≠ "); ok {
		return cell(left).eval(w, n) != cell(right).eval(w, n)
	}
	if s != "" {
		panic(fmt.Sprintf("no condition: %q", s))
	}
	return true
}

// effect returns the words after the effect, and whether the call returns
// success.
func (s cell) effect(w spec.Words, n int) (after spec.Words, returns bool) {
	for part := range strings.SplitSeq(string(s), "; ") {
		if condition, then, ok := strings.Cut(part, ": "); ok {
			if !cell(strings.TrimPrefix(condition, "if ")).holds(w, n) {
				continue
			}
			part = then
		}
		word, value, assigns := strings.Cut(part, " := ")
		to := map[string]*int32{"enter": &w.Enter, "exit": &w.Exit, "flag": &w.Flag}[word]
		switch {
		case assigns && to != nil:
			*to = int32(cell(value).eval(w, n))
		case part == "the call returns":
			returns = true
		case part == "acquire", part == "release", strings.HasPrefix(part, "read "),
			part == "the call returns the context's error", part == "the call begins, with party count n":
		default:
			panic(fmt.Sprintf("no effect: %q", part))
		}
	}
	return w, returns
}

// gaveUp returns where a call whose context ends goes on, by the step that it
// is at, as section 5 of PROTOCOL.md says.
func gaveUp(t *testing.T) map[spec.Step]spec.Step {
	t.Helper()
	text, err := os.ReadFile("../../spec/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, ok := strings.Cut(string(text), "| the call is at | when its context ends |\n|---|---|\n")
	if !ok {
		t.Fatal("PROTOCOL.md does not say what happens when the context of a call ends")
	}
	label := regexp.MustCompile("`(\\w+)`")
	next := map[spec.Step]spec.Step{}
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, " | ")
		if len(cells) != 2 {
			break
		}
		to := spec.Call
		for _, match := range label.FindAllStringSubmatch(cells[1], -1) {
			if to, err = spec.ParseStep(match[1]); err != nil {
				t.Fatal(err)
			}
		}
		for _, match := range label.FindAllStringSubmatch(cells[0], -1) {
			from, err := spec.ParseStep(match[1])
			if err != nil {
				t.Fatal(err)
			}
			next[from] = to
		}
	}
	return next
}

// differs returns how the table differs from the text: in a move that one of
// them makes and the other does not, for up to three processes and words that
// are at most two out of range; nil: in none.
func differs(table proof.Table, gaveUp map[spec.Step]spec.Step) error {
	events := 0
	for _, m := range table {
		if !strings.HasPrefix(m.Name, spec.GiveUp.String()) {
			continue
		}
		events++
		if to, ok := gaveUp[m.From]; !ok || m.To != to || m.Lock != spec.Outside || m.Set != nil || m.Return || m.When.String() != "true" {
			return fmt.Errorf("%s: %v, the text has %v", m.Name, m.To, to)
		}
	}
	if events != len(gaveUp) {
		return fmt.Errorf("%d moves by which a call gives up, the text has %d", events, len(gaveUp))
	}
	for _, step := range proof.Steps {
		for n := 1; n <= 3; n++ {
			for enter := -2; enter <= n+2; enter++ {
				for exit := -2; exit <= n+2; exit++ {
					for flag := range 3 {
						w := spec.Words{Enter: int32(enter), Exit: int32(exit), Flag: int32(flag)}
						if got, want := moves(table, step, w, n), written(step, w, n); got != want {
							return fmt.Errorf("%v with n = %d and %v: %s, the text has %s", step, n, w, got, want)
						}
					}
				}
			}
		}
	}
	return nil
}

// moves says which moves of the table are possible at a step, apart from the
// lock, and what they do.
func moves(table proof.Table, step spec.Step, w spec.Words, n int) (text string) {
	s := proof.State{N: int32(n), Words: w}
	for _, m := range table {
		if m.From != step || strings.HasPrefix(m.Name, spec.GiveUp.String()) || !m.When.True(&s) {
			continue
		}
		after := w
		for _, set := range m.Set {
			*map[spec.Word]*int32{spec.Enter: &after.Enter, spec.Exit: &after.Exit, spec.Flag: &after.Flag}[set.Word] = int32(set.Value.Eval(&s))
		}
		text += move(m.Lock, after, m.To, m.Return)
	}
	return text
}

// written says the same of the text. A branch that leads back to its step waits.
func written(step spec.Step, w spec.Words, n int) string {
	after, returns := cell(step.Doc()).effect(w, n)
	for _, b := range step.Next() {
		if !cell(b.If).holds(after, n) {
			continue
		}
		if b.To == step {
			return ""
		}
		return move(step.Lock(), after, b.To, returns)
	}
	return "nothing"
}

func move(lock spec.LockUse, after spec.Words, to spec.Step, returns bool) string {
	return fmt.Sprintf("[lock %v, %v, to %v, returns %v]", lock, after, to, returns)
}

// TestConform_TableIsTheText reads the cells of PROTOCOL.md's tables and makes
// the moves that they say. The table makes the same, and no other.
func TestConform_TableIsTheText(t *testing.T) {
	if err := differs(proof.Protocol(), gaveUp(t)); err != nil {
		t.Errorf("the table of moves differs from the text: %v", err)
	}
}

// TestHazard_MutantsDifferFromTheText: the comparison finds each mistake, a
// harmless one too.
func TestHazard_MutantsDifferFromTheText(t *testing.T) {
	text := gaveUp(t)
	for _, m := range proof.Mutants() {
		if err := differs(m.Table(), text); err == nil {
			t.Errorf("%s (%s): the table does not differ from the text", m.Name, m.Doc)
		}
	}
}
