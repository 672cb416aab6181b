// Package proof proves the barrier safe and live for every number of processes
// and an unbounded number of rounds, with withdrawal. PROOF.md has the argument.
//
// The protocol is symmetric, so the proof counts processes instead of naming
// them. A State has two counters for each step: the processes there that have
// completed the fewest calls (behind), and those that have completed one more
// (ahead). A Table is the protocol as moves of one process between steps.
// Conditions makes the verification conditions of an inductive invariant and of
// a rank from it, as SMT-LIB scripts. Package z3 runs Z3 on them, and the command
// model/prove prints the result.
//
//	for _, c := range proof.Conditions(proof.Protocol()) {
//		fmt.Print(c.SMT()) // unsat: the condition is valid
//	}
//
// The package also evaluates the expressions that it prints for the solver:
// Search finds the states that a table reaches, which the tests compare with
// those of the explorer, and Condition.Counterexample checks what a solver
// answers.
//
// The package does no input or output.
package proof
