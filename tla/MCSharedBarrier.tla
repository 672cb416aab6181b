--------------------------- MODULE MCSharedBarrier ---------------------------
(***************************************************************************)
(* What TLC checks: SharedBarrier under the scenarios of spec/HAZARDS.md.  *)
(* Each configuration puts the definitions MC... here in the place of      *)
(* those of SharedBarrier.                                                 *)
(***************************************************************************)
EXTENDS SharedBarrier

CONSTANTS
    Scenario,  \* what happens: one of Scenarios
    Control    \* TRUE: the same situation with the guarantee kept

Scenarios == { "reuse", "single", "withdraw", "late-construction",
               "shrinking", "growing", "disagreeing", "surplus",
               "crash", "abandon", "split-lock" }

ASSUME /\ Scenario \in Scenarios /\ Control \in BOOLEAN
       /\ Scenario = "single" => N = 1
       /\ Scenario \in {"shrinking", "growing"} => N > 1 /\ Rounds > 1
       /\ Scenario \in {"disagreeing", "surplus"} => N > 1

Broken(s) == Scenario = s /\ ~Control

-----------------------------------------------------------------------------
(* What callers do.                                                         *)

MCCount(p, r) ==
    CASE Scenario = "shrinking"            -> IF r = 1 THEN N ELSE N - 1
      [] Scenario = "growing"              -> IF r = 1 THEN N - 1 ELSE N
      [] Broken("disagreeing") /\ p = 0    -> N - 1
      [] Broken("surplus")                 -> N - 1
      [] OTHER                             -> N

MCParties(r) ==
    CASE Scenario = "shrinking" /\ r > 1   -> Procs \ {N - 1}
      [] Scenario = "growing" /\ r = 1     -> Procs \ {N - 1}
      [] OTHER                             -> Procs

\* The control of shrinking and growing: the party count changes with round r
\* only once all have left round r-1.  That of late-construction: no process
\* calls while one constructs.
MCMayCall(p, r) ==
    Control =>
        /\ r > 1 /\ Parties(r) # Parties(r - 1)
               => \A q \in Parties(r - 1) : rounds[q] >= r - 1
        /\ \A q \in Procs : pc[q] \notin Making

\* The control of abandon: process 0 withdraws.
MCMayGiveUp(p) == \/ Scenario = "withdraw"
                  \/ Scenario = "abandon" /\ Control /\ p = 0

-----------------------------------------------------------------------------
(* The environment.  env.happened has those events that have happened and   *)
(* cannot happen again.  env.read[p] is what p has read and not written yet.*)

Nothing == -2  \* no value of any word

MCEnvOK == /\ env.happened \subseteq {"Die", "Relink"}
           /\ env.read \in [Procs -> Int]

MCDead(p) == p = 0 /\ "Die" \in env.happened

\* Where there may be two locks, a read and a write under the lock are two steps
\* under one label.
MCReadWrite(p, word, Update(_)) ==
    IF Scenario = "split-lock" /\ env.read[p] = Nothing
    THEN /\ env' = [env EXCEPT !.read[p] = word]
         /\ UNCHANGED <<words, pc>>
    ELSE /\ env' = [env EXCEPT !.read[p] = Nothing]
         /\ Update(IF Scenario = "split-lock" THEN env.read[p] ELSE word)

Happens(event) == /\ event \notin env.happened
                  /\ env' = [env EXCEPT !.happened = @ \union {event}]

\* Process 0 dies, at any step.  The kernel frees its lock; the words stay.
\* The control: it dies only after its last call.
Die(p) ==
    /\ Scenario = "crash" /\ p = 0 /\ (Control => Resting(p))
    /\ Happens("Die")
    /\ Release(p)
    /\ UNCHANGED <<words, pc, rounds>>

\* Process 0 leaves its wait without withdrawing.
Abandon(p) ==
    /\ Broken("abandon") /\ p = 0
    /\ pc[p] \in {"AwaitDrain", "AwaitFlag"}
    /\ Goto(p, "Call")
    /\ UNCHANGED <<words, lock, rounds, env>>

\* The lock file is unlinked and created again.  Its holder keeps the old one; the
\* next to acquire takes the new one.
Relink ==
    /\ Broken("split-lock")
    /\ Happens("Relink")
    /\ lock' = None
    /\ UNCHANGED <<words, pc, rounds>>

-----------------------------------------------------------------------------
(* The specification.                                                       *)

MCInit ==
    /\ InitWords
    /\ pc = [p \in Procs |->
             IF Scenario = "late-construction" /\ p = 0 THEN "MakeEnter" ELSE "Call"]
    /\ rounds = [p \in Procs |-> IF p \in Parties(1) THEN 0 ELSE 1]
    /\ env = [happened |-> {}, read |-> [p \in Procs |-> Nothing]]

MCNext == Next \/ Relink \/ \E p \in Procs : Die(p) \/ Abandon(p)

MCSpec     == MCInit /\ [][MCNext]_vars
MCFairSpec == MCSpec /\ Fairness
MCLiveSpec == MCFairSpec /\ <>[][Steps]_vars

-----------------------------------------------------------------------------
(* Deliberately false: each says that something worth checking never        *)
(* happens, and TLC shows how it does.  So no property above holds because  *)
(* nothing happens.                                                         *)

\* All processes make all their calls.
ReachTheEnd == ~\A p \in Procs : Resting(p)

\* One is in the next round while another has yet to leave the last.
ReachOverlap == ~\E p, q \in Procs : pc[p] = "AwaitDrain" /\ rounds[p] > rounds[q]

\* Two are first at once: the second lowers the flag again.
ReachTwoFirsts == ~\E p, q \in Procs : pc[p] = "LowerFlag" /\ pc[q] = "LockFirst" /\ enter > 0

\* A call is withdrawn after it was counted.
ReachWithdrawn == ~\E p \in Procs : pc[p] = "UnlockWithdraw"

\* A call gives up too late: its round is complete, and it returns success.
ReachTooLate == ~\E p \in Procs : pc[p] = "TestFlag" /\ flag # 0

=============================================================================
