// Package proof proves the barrier safe for every number of processes and every
// number of rounds, with withdrawal.
//
// The protocol is symmetric, so processes are counted instead of named: a State
// says, for each step, how many processes are at it that have completed as few
// calls as anyone (behind) and how many that have completed one call more
// (ahead). A Table holds the protocol as moves of one process between steps.
// From it Conditions makes the verification conditions of an inductive
// invariant, in SMT-LIB, for a solver to discharge; package z3 beside this one
// runs Z3 on them, and the command model/prove is the door.
//
//	for _, c := range proof.Conditions(proof.Protocol()) {
//		fmt.Print(c.SMT()) // unsat: the condition is valid
//	}
//
// The same expressions that are printed for the solver are also evaluated here:
// Search runs a table for one number of processes and finds the states that it
// reaches, which the tests compare with the explorer of package model, and
// Condition.Counterexample says which clauses a state that a solver names breaks.
//
// PROOF.md beside this file tells the argument for readers without a solver.
// The package does no input or output.
package proof
