// Package proof proves the barrier safe and live for every number of processes
// and an unbounded number of rounds, with withdrawal. PROOF.md has the argument.
//
// The protocol is symmetric, so the proof counts processes instead of naming
// them. A State has two counters for each step: the processes there that have
// completed the fewest calls (behind), and those that have completed one more
// (ahead). A Table is the protocol as moves of one process between steps.
// Conditions makes the verification conditions of an inductive invariant and of
// a rank from it. A certificate ships for each, which Condition.Verify checks:
//
//	for _, c := range proof.Conditions(proof.Protocol()) {
//		if err := c.Verify(); err != nil {
//			return err // not proved
//		}
//	}
//
// Condition.Decide finds a certificate or a counterexample. Package certificate
// is the checker, package simplex the search. Package solver asks Z3 and cvc5
// about the same conditions as SMT-LIB scripts. The command model/prove prints
// the results. Package rocq has Rocq prove the claims themselves, about named
// processes.
//
// The package also evaluates its expressions: Search finds the states that a
// table reaches, which the tests compare with those of the explorer, and
// Condition.Counterexample checks that a state refutes a condition.
//
// The package does no input or output.
package proof
