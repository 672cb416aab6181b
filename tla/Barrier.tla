------------------------------- MODULE Barrier -------------------------------
(* A reusable barrier, without how it is made.  A process begins its next     *)
(* round and leaves it; no process leaves a round before all have begun it.   *)
(* SharedBarrier refines this module.                                         *)
EXTENDS Integers

CONSTANTS Procs,      \* the processes that share the barrier
          Quitting,   \* may a process give up the round that it is in?
          Rebase(_)   \* how rounds are counted, see below
VARIABLES inside,     \* inside[p]: p has begun a round and has not left it
          completed   \* completed[p]: how many rounds p has left

(* Rebase is the identity, or subtracts the least element.  The formulas      *)
(* below only compare rounds, so they mean the same with either.  With the    *)
(* second, unbounded rounds have finitely many states.                        *)

Begun(p) == completed[p] + (IF inside[p] THEN 1 ELSE 0)

Begin(p) == /\ ~inside[p]
            /\ inside' = [inside EXCEPT ![p] = TRUE]
            /\ UNCHANGED completed

MayLeave(p) == inside[p] /\ \A q \in Procs : Begun(q) >= Begun(p)

Leave(p) == /\ MayLeave(p)
            /\ inside' = [inside EXCEPT ![p] = FALSE]
            /\ completed' = Rebase([completed EXCEPT ![p] = @ + 1])

(* A process that gives up has not begun the round, so none may have left it. *)
GiveUp(p) == /\ Quitting
             /\ inside[p]
             /\ \A q \in Procs : completed[q] <= completed[p]
             /\ inside' = [inside EXCEPT ![p] = FALSE]
             /\ UNCHANGED completed

Init == /\ inside = [p \in Procs |-> FALSE]
        /\ completed = [p \in Procs |-> 0]

Next == \E p \in Procs : Begin(p) \/ Leave(p) \/ GiveUp(p)

Spec == Init /\ [][Next]_<<inside, completed>>

(* A process that may leave a round leaves it at some time.                   *)
Live == \A p \in Procs : MayLeave(p) ~> ~inside[p]

-------------------------------------------------------------------------------
(* This follows, and makes the barrier safe to use again.                     *)

NoEarlyExit == \A p, q \in Procs : completed[p] <= Begun(q)

THEOREM Spec => []NoEarlyExit
===============================================================================
