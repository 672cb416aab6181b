------------------------------- MODULE Barrier -------------------------------
(* What a reusable barrier is, and nothing of how it is made.  A process      *)
(* begins its next round, and leaves it; nobody leaves a round before all     *)
(* have begun it.  SharedBarrier refines this module.                         *)
EXTENDS Integers

CONSTANTS Procs,      \* who shares the barrier
          Quitting,   \* may a process leave a round as if it had never come?
          Rebase(_)   \* how rounds are written down, see below
VARIABLES inside,     \* inside[p]: p has begun a round and has not left it
          completed   \* completed[p]: how many rounds p has left

(* Rebase is the identity, or subtracts the least element: all that is said   *)
(* below compares rounds, so it means the same with either, and the second    *)
(* leaves finitely many states though the rounds have no end.                 *)

Begun(p) == completed[p] + (IF inside[p] THEN 1 ELSE 0)

Begin(p) == /\ ~inside[p]
            /\ inside' = [inside EXCEPT ![p] = TRUE]
            /\ UNCHANGED completed

MayLeave(p) == inside[p] /\ \A q \in Procs : Begun(q) >= Begun(p)

Leave(p) == /\ MayLeave(p)
            /\ inside' = [inside EXCEPT ![p] = FALSE]
            /\ completed' = Rebase([completed EXCEPT ![p] = @ + 1])

(* Whoever gives up has not begun the round; so nobody may have left it.      *)
GiveUp(p) == /\ Quitting
             /\ inside[p]
             /\ \A q \in Procs : completed[q] <= completed[p]
             /\ inside' = [inside EXCEPT ![p] = FALSE]
             /\ UNCHANGED completed

Init == /\ inside = [p \in Procs |-> FALSE]
        /\ completed = [p \in Procs |-> 0]

Next == \E p \in Procs : Begin(p) \/ Leave(p) \/ GiveUp(p)

Spec == Init /\ [][Next]_<<inside, completed>>

(* Whoever may leave does, in the end.                                        *)
Live == \A p \in Procs : MayLeave(p) ~> ~inside[p]

-------------------------------------------------------------------------------
(* What follows from it, and makes it safe to use again.                      *)

NoEarlyExit == \A p, q \in Procs : completed[p] <= Begun(q)

THEOREM Spec => []NoEarlyExit
===============================================================================
