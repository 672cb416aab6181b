package proof_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/rocq"
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

// A carried is a move, carried out: of a proof.Table, or of Table.v.
type carried struct {
	name     string
	from, to spec.Step
	lock     spec.LockUse
	possible func(w spec.Words, n int) bool
	after    func(w spec.Words, n int) spec.Words
	returns  bool
	givesUp  bool
}

func ofTable(table proof.Table) (list []carried) {
	for _, m := range table {
		list = append(list, carried{m.Name, m.From, m.To, m.Lock,
			func(w spec.Words, n int) bool { return m.When.True(&proof.State{N: int32(n), Words: w}) },
			func(w spec.Words, n int) spec.Words {
				after := w
				for _, set := range m.Set {
					to := map[spec.Word]*int32{spec.Enter: &after.Enter, spec.Exit: &after.Exit, spec.Flag: &after.Flag}[set.Word]
					*to = int32(set.Value.Eval(&proof.State{N: int32(n), Words: w}))
				}
				return after
			},
			m.Return, strings.HasPrefix(m.Name, spec.GiveUp.String())})
	}
	return list
}

// ofRocq reads the definitions of the moves in the text of Table.v.
func ofRocq(t *testing.T, text string) (list []carried) {
	t.Helper()
	step := func(label string) spec.Step {
		s, err := spec.ParseStep(label)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	_, listed, _ := strings.Cut(text, "Definition table : list move := [")
	listed, _, _ = strings.Cut(listed, "]")
	for name := range strings.SplitSeq(listed, ";") {
		name = strings.TrimSpace(name)
		_, definition, ok := strings.Cut(text, "Definition "+name+" := Move ")
		definition, _, end := strings.Cut(definition, ".\n")
		args := arguments(definition)
		if !ok || !end || len(args) != 6 {
			t.Fatalf("Table.v defines %s with %q", name, args)
		}
		when, not := strings.CutPrefix(args[2], "fun n w => negb ")
		when = strings.TrimPrefix(when, "fun n w => ")
		words := arguments(strings.TrimPrefix(args[3], "fun n w => Words "))
		list = append(list, carried{name, step(args[0]), step(args[4]),
			map[string]spec.LockUse{"Outside": spec.Outside, "Acquire": spec.Acquire, "Held": spec.Held, "Release": spec.Release}[args[1]],
			func(w spec.Words, n int) bool {
				return when == "always" || cellOf(strings.Trim(when, "()")).holds(w, n) != not
			},
			func(w spec.Words, n int) spec.Words {
				if args[3] == "nothing" {
					return w
				}
				return spec.Words{Enter: int32(cellOf(words[0]).eval(w, n)), Exit: int32(cellOf(words[1]).eval(w, n)), Flag: int32(cellOf(words[2]).eval(w, n))}
			},
			args[5] == "Completes", args[5] == "GivesUp"})
	}
	return list
}

// arguments splits a term of Rocq into words and terms in parentheses, without
// these.
func arguments(term string) (list []string) {
	depth, begin := 0, 0
	term = strings.Join(strings.Fields(term), " ") + " "
	for i, r := range term {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ' ' && depth == 0:
			arg := term[begin:i]
			if strings.HasPrefix(arg, "(") {
				arg = arg[1 : len(arg)-1]
			}
			list, begin = append(list, arg), i+1
		}
	}
	return list
}

// cellOf is a term of Rocq in the words of PROTOCOL.md.
func cellOf(term string) cell {
	return cell(strings.NewReplacer(" w", "", "=?", "=", "-", "−").Replace(term))
}

// differs returns how the moves differ from the text: one of them makes a move
// that the other does not, for up to three processes and words that are at most
// two out of range; nil: in nothing.
func differs(moves []carried, gaveUp map[spec.Step]spec.Step) error {
	events := 0
	for _, m := range moves {
		if !m.givesUp {
			continue
		}
		events++
		if to, ok := gaveUp[m.from]; !ok || m.to != to || m.lock != spec.Outside || m.returns {
			return fmt.Errorf("%s: %v, the text has %v", m.name, m.to, to)
		}
	}
	if events != len(gaveUp) {
		return fmt.Errorf("%d moves by which a call gives up, the text has %d", events, len(gaveUp))
	}
	for n := 1; n <= 3; n++ {
		for enter := -2; enter <= n+2; enter++ {
			for exit := -2; exit <= n+2; exit++ {
				for flag := range 3 {
					if err := differIn(moves, spec.Words{Enter: int32(enter), Exit: int32(exit), Flag: int32(flag)}, n); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func differIn(moves []carried, w spec.Words, n int) error {
	got := map[spec.Step]string{}
	for _, m := range moves {
		switch {
		case !m.possible(w, n):
			if m.givesUp {
				return fmt.Errorf("%s with n = %d and %v: not possible", m.name, n, w)
			}
		case m.givesUp && m.after(w, n) != w:
			return fmt.Errorf("%s writes a word", m.name)
		case !m.givesUp:
			got[m.from] += move(m.lock, m.after(w, n), m.to, m.returns)
		}
	}
	for _, step := range proof.Steps {
		if want := written(step, w, n); got[step] != want {
			return fmt.Errorf("%v with n = %d and %v: %s, the text has %s", step, n, w, got[step], want)
		}
	}
	return nil
}

// written says which move the text makes at a step, apart from the lock, and
// what it does. A branch that leads back to its step waits.
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
	if err := differs(ofTable(proof.Protocol()), gaveUp(t)); err != nil {
		t.Errorf("the table of moves differs from the text: %v", err)
	}
}

// TestConform_RocqTableIsTheText: nor does the table that Rocq reads, or what
// else the file has of the protocol.
func TestConform_RocqTableIsTheText(t *testing.T) {
	file, err := rocq.Source("Table.v")
	if err != nil {
		t.Fatal(err)
	}
	if err := differs(ofRocq(t, file), gaveUp(t)); err != nil {
		t.Errorf("the table of Rocq differs from the text: %v", err)
	}
	_, holds, _ := strings.Cut(file, "Definition holds (a : step) : bool :=\n  match a with\n")
	holds, _, _ = strings.Cut(holds, " => true\n  | _ => false\n")
	for _, step := range proof.Steps {
		if got := regexp.MustCompile(`\| ` + step.String() + `\b`).MatchString(holds); got != step.Holds() {
			t.Errorf("holds %v = %v in Rocq", step, got)
		}
	}
	if want := "Definition initial_words := Words 0 (-1) 1.\n"; !strings.Contains(file, want) || spec.Initial != (spec.Words{Enter: 0, Exit: -1, Flag: 1}) {
		t.Errorf("Rocq does not begin with the words %v", spec.Initial)
	}
}

// TestHazard_MutantsDifferFromTheText: the comparisons find each mistake, a
// harmless one too.
func TestHazard_MutantsDifferFromTheText(t *testing.T) {
	text := gaveUp(t)
	for _, m := range proof.Mutants() {
		if err := differs(ofTable(m.Table()), text); err == nil {
			t.Errorf("%s (%s): the table does not differ from the text", m.Name, m.Doc)
		}
		if m.Name == "drain-cleared" {
			continue // a condition that cellOf does not read
		}
		if err := differs(ofRocq(t, m.Table().Rocq(proof.TheRank())), text); err == nil {
			t.Errorf("%s (%s): the table of Rocq does not differ from the text", m.Name, m.Doc)
		}
	}
}
