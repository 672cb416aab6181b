// Package explore visits every state of a machine and checks every property in
// it.
//
// A Machine has an initial state, actions that are enabled in a state, and the
// state after an action. Run explores any machine, Explore the barrier of a
// model.Config, and NewGraph returns the states and edges themselves.
//
//	r := explore.Explore(ctx, model.Config{Scenario: spec.Reuse, Procs: 3}, explore.Options{Liveness: true})
//	fmt.Println(r.Verdict, r.Distinct, r.Trace)
//
// An exploration is exact: states are packed, not hashed, and two are never
// taken for one. Its outcome does not depend on the number of workers. A
// counterexample is a shortest one and, of those, the first in the order of
// Machine.Actions, with symmetry or without.
//
// A machine has up to 16 processes. Without symmetry about eight processes of
// the barrier fit into a common machine's memory. The package does no I/O.
package explore

// Steps is a state machine: a state S, and actions A that lead from one state
// to the next. Its methods may be called by several goroutines at once.
type Steps[S, A any] interface {
	// Init returns the initial state.
	Init() S
	// Actions appends to list the actions that are enabled in s, always in the
	// same order. None leads back to s.
	Actions(s *S, list []A) []A
	// Next makes to, which is zero or was made before, the state after a, which
	// is enabled in s.
	Next(s *S, a A, to *S)
}

// A Machine is what Run explores: processes that take steps, events that happen
// to them, what must be true of their states, and how a state is packed.
type Machine[S, A any] interface {
	Steps[S, A]

	// Procs returns the number of processes, at most 16.
	Procs() int
	// Proc returns the process of which a is a step, and -1 if a is an event:
	// events need not happen, and happen finitely often.
	Proc(a A) int
	// Rests reports whether no process of s has a step left to take. A state in
	// which none can take a step is a deadlock if Rests is false.
	Rests(s *S) bool
	// Waiting returns, as bits, the processes that must not stay as they are in
	// s without end.
	Waiting(s *S) (procs uint16)
	// Violations returns the safety properties that s refutes, as bits
	// 1<<property.
	Violations(s *S) uint8

	// Words returns how many words a packed state takes, at most 8.
	Words() int
	// Pack makes to, which may hold anything, the packed state s. It returns
	// false if s is beyond what the machine follows; then the exploration is
	// unfinished.
	// States that pack alike must be alike in all that the machine is asked.
	Pack(s *S, to []uint64) bool
	// Repack makes to, the packed state before a, the packed state s after it.
	// It is Pack, but may leave alone what a does not change.
	Repack(a A, s *S, to []uint64) bool
	// Unpack makes s, which is zero or was unpacked before, the packed state.
	Unpack(from []uint64, s *S)

	// Kind returns the kind of the edge by which a led to s, from 0 to
	// Kinds()-1. Outcome.Taken counts edges by kind.
	Kind(a A, s *S) int
	Kinds() int
}

// Symmetric is a Machine some of whose processes are interchangeable.
type Symmetric[S, A any] interface {
	Machine[S, A]

	// Alike returns the range of processes that are interchangeable.
	Alike() (from, to int)
	// Represent makes s the one of its permutations that stands for all.
	Represent(s *S)
	// Repeats reports whether a does in s, which stands for its permutations,
	// what another enabled action does, up to a permutation.
	Repeats(s *S, a A) bool
}
