package proof

import (
	"fmt"
	"strconv"
	"strings"

	"sharedbarrier/spec"
)

// Rocq returns the table, and the numbers of the rank, as a file for Rocq:
// rocq/Table.v is that of Protocol and TheRank.
func (t Table) Rocq(rank Rank) string {
	initial := func(value int32) string { return rocqArgument(num(int(value)).rocq()) }
	var moves []string
	var names []string
	for _, m := range t {
		moves = append(moves, m.rocq())
		names = append(names, m.rocqName())
	}
	return fmt.Sprintf(rocqFile, wrapped("| ", "", labels(Steps)), wrapped("| ", "", labels(holding())),
		initial(spec.Initial.Enter), initial(spec.Initial.Exit), initial(spec.Initial.Flag),
		strings.Join(moves, ""), wrapped("", ";", names), rank.rocqWeights(Behind), rank.rocqWeights(Ahead),
		rank.Stages[0].Adds, rank.Stages[1].Adds, rank.StepsOfRound().rocq(), rank.StepsToEnd().rocq(), rank.GiveUp)
}

// rocqFile is the text of the file around what depends on the tables.
const rocqFile = `(** The protocol as a table of moves (sections 4 and 5 of PROTOCOL.md), and the
    numbers of its rank. Generated from the Go tables of model/proof by
    go test ./model/proof -run TestGolden_RocqTable -update *)

From Coq Require Import ZArith List Bool.
Import ListNotations.
Open Scope Z_scope.

(** A process is at the step that it takes next. *)
Inductive step :=
%[1]s.

(** The steps between an acquire and its release. *)
Definition holds (a : step) : bool :=
  match a with
%[2]s => true
  | _ => false
  end.

Record words := Words { enter : Z; exit : Z; flag : Z }.

Definition initial_words := Words %[3]s %[4]s %[5]s.

(** What a move does with the lock: nothing outside; it waits until the lock is
    free and takes it; nothing while the process holds it; it frees the lock. *)
Inductive use := Outside | Acquire | Held | Release.

(** A step, a step that completes a call, or the event that a call gives up. *)
Inductive kind := Step | Completes | GivesUp.

(** A move takes one process from a step to another, atomically. It is possible
    when the words, and the party count n, satisfy a condition. It writes new
    words. *)
Record move := Move {
  from : step;
  lock : use;
  when : Z -> words -> bool;
  writes : Z -> words -> words;
  to : step;
  sort : kind }.

Local Notation always := (fun _ _ => true).
Local Notation nothing := (fun _ w => w).

%[6]s
Definition table : list move := [
%[7]s ].

(** ** The rank *)

(** The weight of a process: behind if no process has completed fewer calls, or
    ahead. *)
Definition weight (ahead : bool) (a : step) : nat :=
  match ahead, a with
%[8]s%[9]s  | _, _ => 0
  end.

(** What the stage adds: while a round gathers, and until exit is cleared. *)
Definition adds_gathering : nat := %[10]d.
Definition adds_draining : nat := %[11]d.

(** The steps of a round in which no call gives up, and from any state to the
    end of its round. *)
Definition steps_of_round (n : nat) : nat := %[12]s.
Definition steps_to_end (n : nat) : nat := %[13]s.

(** What a call that gives up adds to the rank. *)
Definition adds_give_up : nat := %[14]d.
`

var rocqUses = [...]string{spec.Outside: "Outside", spec.Acquire: "Acquire", spec.Held: "Held", spec.Release: "Release"}

func labels(steps []spec.Step) (list []string) {
	for _, s := range steps {
		list = append(list, s.String())
	}
	return list
}

// wrapped writes the items, each after the prefix and all but the last before
// the suffix, in lines of at most 80 columns.
func wrapped(prefix, suffix string, items []string) string {
	var lines []string
	line := " "
	for i, item := range items {
		item = " " + prefix + item
		if i < len(items)-1 {
			item += suffix
		}
		if len(line)+len(item) > 80 {
			lines = append(lines, line)
			line = " "
		}
		line += item
	}
	return strings.Join(append(lines, line), "\n")
}

func (m Move) rocqName() string { return "move_" + strings.ReplaceAll(m.Name, ".", "_") }

// rocq is the definition of the move, in one line if that is short.
func (m Move) rocq() string {
	head := fmt.Sprintf("Definition %s := Move %v %s", m.rocqName(), m.From, rocqUses[m.Lock])
	when, rest := lambda(m.When.rocq()), fmt.Sprintf("%s %v %s.\n", m.rocqWrites(), m.To, m.rocqSort())
	for _, between := range [][2]string{{" ", " "}, {"\n  ", " "}} {
		text := head + between[0] + when + between[1] + rest
		if last := text[strings.LastIndex(text[:len(text)-1], "\n")+1:]; len(last) <= 100 {
			return text
		}
	}
	return head + "\n  " + when + "\n  " + rest
}

// lambda is a function of the party count and the words.
func lambda(body string) string {
	if body == "true" {
		return "always"
	}
	return "(fun n w => " + body + ")"
}

func (m Move) rocqWrites() string {
	if len(m.Set) == 0 {
		return "nothing"
	}
	words := []Expr{enter, exit, flag}
	for _, w := range m.Set {
		words[w.Word] = w.Value
	}
	text := "Words"
	for _, w := range words {
		text += " " + rocqArgument(w.rocq())
	}
	return lambda(text)
}

func (m Move) rocqSort() string {
	switch {
	case m.event():
		return "GivesUp"
	case m.Return:
		return "Completes"
	default:
		return "Step"
	}
}

// rocqArgument is the text as the argument of a function.
func rocqArgument(text string) string {
	if strings.ContainsAny(text, " -") {
		return "(" + text + ")"
	}
	return text
}

// rocq returns e as a term of Rocq over the party count n and the words w. A
// move of the table has no other parts of a state in it.
func (e Expr) rocq() string {
	switch e.op {
	case opConstant:
		return strconv.Itoa(e.value)
	case opParties:
		return "n"
	case opWord:
		return e.word.String() + " w"
	case opNot:
		return "negb (" + e.args[0].rocq() + ")"
	case opAnd:
		if len(e.args) == 0 {
			return "true"
		}
	}
	between, ok := map[op]string{opSum: " + ", opEqual: " =? ", opAtMost: " <=? ", opAnd: " && ", opOr: " || "}[e.op]
	if !ok {
		panic(fmt.Sprintf("proof: a move with %v in it", e))
	}
	parts := make([]string, len(e.args))
	for i, a := range e.args {
		parts[i] = a.rocq()
		if e.op == opAnd || e.op == opOr || operators[a.op].binds >= operators[e.op].binds {
			parts[i] = "(" + parts[i] + ")" // in Rocq && and || bind more tightly than =? does
		}
	}
	return strings.ReplaceAll(strings.Join(parts, between), "+ -", "- ")
}

// rocqWeights is a case for each weight of a group that is not 0.
func (r Rank) rocqWeights(g Group) string {
	var b strings.Builder
	for _, s := range Steps {
		if w := r.Weights[g][s]; w != 0 {
			fmt.Fprintf(&b, "  | %t, %v => %d\n", g == Ahead, s, w)
		}
	}
	return b.String()
}

// rocq returns the number for n processes, which is at least 0 for n at least 1.
func (b Bound) rocq() string {
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "−", "-"), "n", " * n")
}
