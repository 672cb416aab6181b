package proof_test

import (
	"encoding/json"
	"slices"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// tooEarly is a state of a draining round in which one process ahead is at
// AwaitDrain and the other, behind, has not left. It is reachable.
func tooEarly() proof.State {
	s := proof.State{N: 2, Words: spec.Words{Enter: 0, Exit: 1, Flag: 1}}
	s.At[proof.Behind][spec.AwaitFlag] = 1
	s.At[proof.Ahead][spec.AwaitDrain] = 1
	return s
}

// awaitDrain is the condition that a process ahead at AwaitDrain keeps the
// invariant.
func awaitDrain(t *testing.T, table proof.Table) proof.Condition {
	t.Helper()
	list := proof.Conditions(table)
	i := slices.IndexFunc(list, func(c proof.Condition) bool { return c.Name == "step.AwaitDrain.ahead" })
	if i < 0 {
		t.Fatal("no condition is called step.AwaitDrain.ahead")
	}
	return list[i]
}

// TestHazard_Counterexample: a state refutes the condition of a mutant, and is
// refused as a counterexample of the protocol.
func TestHazard_Counterexample(t *testing.T) {
	m, err := proof.FindMutant("drain-early")
	if err != nil {
		t.Fatal(err)
	}
	ce, err := awaitDrain(t, m.Table()).Counterexample(tooEarly())
	if err != nil {
		t.Fatal(err)
	}
	const text = "" +
		"  before  n=2  enter=0 exit=1 flag=1  lock=0\n" +
		"          behind  1×AwaitFlag\n" +
		"          ahead   1×AwaitDrain\n" +
		"  after   n=2  enter=0 exit=1 flag=1  lock=0\n" +
		"          behind  1×AwaitFlag\n" +
		"          ahead   1×LockFirst\n" +
		"  breaks  Draining.DrainedFirst\n"
	if got := ce.String(); got != text {
		t.Errorf("String() =\n%s\nwant\n%s", got, text)
	}
	const form = `{"before":{"n":2,"lock":0,"words":{"enter":0,"exit":1,"flag":1},"behind":{"AwaitFlag":1},"ahead":{"AwaitDrain":1}},` +
		`"after":{"n":2,"lock":0,"words":{"enter":0,"exit":1,"flag":1},"behind":{"AwaitFlag":1},"ahead":{"LockFirst":1}},` +
		`"breaks":["Draining.DrainedFirst"]}`
	if got, err := json.Marshal(ce); err != nil || string(got) != form {
		t.Errorf("json.Marshal = %s, %v\nwant %s", got, err, form)
	}
	if ce, err := awaitDrain(t, proof.Protocol()).Counterexample(tooEarly()); err == nil {
		t.Errorf("Counterexample of the protocol = %v, want an error: it waits", ce)
	}
}
