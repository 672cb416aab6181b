---------------------------- MODULE SharedBarrier ----------------------------
(***************************************************************************)
(* The shared-barrier protocol of spec/PROTOCOL.md: three words, one lock, *)
(* one action for each step, under the same labels and in the same order.  *)
(* A process is at the step that it will do next: pc[p] is its label.      *)
(*                                                                         *)
(* Read it in this order: the steps (Call to UnlockExit), Withdrawal, the  *)
(* properties, and then, if misuse is what you came for, the scenarios.    *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
    N,         \* how many processes there are: 0 .. N-1
    Rounds,    \* how many calls each makes; 0: no bound
    Scenario,  \* what happens: one of Scenarios
    Kept       \* do the callers keep the guarantee that the scenario is about?

Scenarios == { "reuse", "single", "withdraw", "late-construction",
               "shrinking", "growing", "disagreeing", "surplus",
               "crash", "abandon", "split-lock" }

ASSUME /\ N \in Nat \ {0} /\ Rounds \in Nat
       /\ Scenario \in Scenarios /\ Kept \in BOOLEAN
       /\ Scenario = "single" => N = 1
       /\ Scenario \in {"shrinking", "growing"} => N > 1 /\ Rounds > 1
       /\ Scenario \in {"disagreeing", "surplus"} => N > 1

VARIABLES
    enter, exit, flag,  \* the three words
    lock,               \* who holds the lock, or None
    pc,                 \* pc[p]: the step that p will do next
    rounds,             \* rounds[p]: how many calls p has completed
    happened,           \* which of the events that happen at most once have
    orphan,             \* split-lock: who holds the lock file that was unlinked
    seen                \* split-lock: seen[p] is what p has read, or Nothing

words == <<enter, exit, flag>>
world == <<happened, orphan, seen>>
vars  == <<enter, exit, flag, lock, pc, rounds, happened, orphan, seen>>

Procs   == 0 .. N-1
None    == -1   \* no process
NotSet  == -1   \* the party count is not set yet
Nothing == -2   \* no value of any word

-----------------------------------------------------------------------------
(* The scenarios: who passes which party count, who takes part, and what    *)
(* may happen.  Kept = TRUE is the twin that keeps the guarantee: the count *)
(* changes with nobody in a call, a process dies after its last call, a     *)
(* waiter withdraws.                                                        *)

Broken(s) == Scenario = s /\ ~Kept

\* The party count that p passes in its r-th call.
Count(p, r) ==
    CASE Scenario = "shrinking"            -> IF r = 1 THEN N ELSE N - 1
      [] Scenario = "growing"              -> IF r = 1 THEN N - 1 ELSE N
      [] Broken("disagreeing") /\ p = 0    -> N - 1
      [] Broken("surplus")                 -> N - 1
      [] OTHER                             -> N

\* Who takes part in round r.
Parties(r) ==
    CASE Scenario = "shrinking" /\ r > 1   -> Procs \ {N - 1}
      [] Scenario = "growing" /\ r = 1     -> Procs \ {N - 1}
      [] OTHER                             -> Procs

\* p has made all its calls, and rests for ever.
Resting(p) == /\ pc[p] = "Call" /\ Rounds > 0
              /\ rounds[p] = Rounds \/ p \notin Parties(rounds[p] + 1)

\* The party count changes with round r only once all have left round r-1.
CountAgreed(r) ==
    Kept /\ r > 1 /\ Parties(r) # Parties(r - 1)
        => \A q \in Parties(r - 1) : rounds[q] >= r - 1

\* Nobody calls while somebody constructs.
Constructed ==
    Kept => \A q \in Procs : pc[q] \notin {"MakeEnter", "MakeExit", "MakeFlag"}

MayGiveUp(p) == \/ Scenario = "withdraw"
                \/ Scenario = "abandon" /\ Kept /\ p = 0
MayDie(p)    == Scenario = "crash" /\ p = 0 /\ (Kept => Resting(p))
MayAbandon   == Broken("abandon")
MayRelink    == Broken("split-lock")

\* With two locks about, a read and a write under the lock are not one step.
Fine == Scenario = "split-lock"

Dead(p) == p = 0 /\ "Die" \in happened

-----------------------------------------------------------------------------
(* What the steps are made of.                                              *)

At(p, step)   == pc[p] = step /\ ~Dead(p)
Goto(p, step) == pc' = [pc EXCEPT ![p] = step]

Acquire(p) == lock = None /\ lock' = p /\ UNCHANGED orphan
Release(p) == IF lock = p THEN lock' = None /\ UNCHANGED orphan
                          ELSE orphan' = None /\ UNCHANGED lock

n(p) == Count(p, rounds[p] + 1)  \* the party count of the call of p

\* With no bound on the rounds they are relative: the least is always 0.
Rebase(r) ==
    IF Rounds > 0 THEN r
    ELSE LET least == CHOOSE m \in {r[p] : p \in Procs} :
                          \A p \in Procs : m <= r[p]
         IN  [p \in Procs |-> r[p] - least]

\* A read and a write of one word: Update(x) is given what was read.  They are
\* one step, but two steps under one label where Fine.
ReadWrite(p, word, Update(_)) ==
    IF Fine /\ seen[p] = Nothing
    THEN /\ seen' = [seen EXCEPT ![p] = word]
         /\ UNCHANGED <<words, pc>>
    ELSE /\ seen' = [seen EXCEPT ![p] = Nothing]
         /\ Update(IF Fine THEN seen[p] ELSE word)

-----------------------------------------------------------------------------
(* The steps of a call.                                                     *)

Call(p) ==
    /\ At(p, "Call")
    /\ ~Resting(p)
    /\ CountAgreed(rounds[p] + 1) /\ Constructed
    /\ Goto(p, "LockInit")
    /\ UNCHANGED <<words, lock, rounds, world>>

LockInit(p) ==
    /\ At(p, "LockInit")
    /\ Acquire(p)
    /\ Goto(p, "InitExit")
    /\ UNCHANGED <<words, rounds, happened, seen>>

InitExit(p) ==
    /\ At(p, "InitExit")
    /\ LET Update(x) == /\ exit' = IF x = NotSet THEN n(p) ELSE exit
                        /\ Goto(p, "UnlockInit")
                        /\ UNCHANGED <<enter, flag>>
       IN  ReadWrite(p, exit, Update)
    /\ UNCHANGED <<lock, rounds, happened, orphan>>

UnlockInit(p) ==
    /\ At(p, "UnlockInit")
    /\ Release(p)
    /\ Goto(p, "LockEnter")
    /\ UNCHANGED <<words, rounds, happened, seen>>

LockEnter(p) ==
    /\ At(p, "LockEnter")
    /\ Acquire(p)
    /\ Goto(p, "TestFirst")
    /\ UNCHANGED <<words, rounds, happened, seen>>

TestFirst(p) ==
    /\ At(p, "TestFirst")
    /\ Goto(p, IF enter = 0 THEN "UnlockFirst" ELSE "CountEnter")
    /\ UNCHANGED <<words, lock, rounds, world>>

UnlockFirst(p) ==
    /\ At(p, "UnlockFirst")
    /\ Release(p)
    /\ Goto(p, "AwaitDrain")
    /\ UNCHANGED <<words, rounds, happened, seen>>

AwaitDrain(p) ==
    /\ At(p, "AwaitDrain")
    /\ exit = n(p)
    /\ Goto(p, "LockFirst")
    /\ UNCHANGED <<words, lock, rounds, world>>

LockFirst(p) ==
    /\ At(p, "LockFirst")
    /\ Acquire(p)
    /\ Goto(p, "LowerFlag")
    /\ UNCHANGED <<words, rounds, happened, seen>>

LowerFlag(p) ==
    /\ At(p, "LowerFlag")
    /\ flag' = 0
    /\ Goto(p, "CountEnter")
    /\ UNCHANGED <<enter, exit, lock, rounds, world>>

CountEnter(p) ==
    /\ At(p, "CountEnter")
    /\ LET Update(x) == /\ enter' = x + 1
                        /\ Goto(p, IF x + 1 = n(p) THEN "ResetEnter" ELSE "UnlockEnter")
                        /\ UNCHANGED <<exit, flag>>
       IN  ReadWrite(p, enter, Update)
    /\ UNCHANGED <<lock, rounds, happened, orphan>>

ResetEnter(p) ==
    /\ At(p, "ResetEnter")
    /\ enter' = 0
    /\ Goto(p, "ResetExit")
    /\ UNCHANGED <<exit, flag, lock, rounds, world>>

ResetExit(p) ==
    /\ At(p, "ResetExit")
    /\ exit' = 0
    /\ Goto(p, "RaiseFlag")
    /\ UNCHANGED <<enter, flag, lock, rounds, world>>

RaiseFlag(p) ==
    /\ At(p, "RaiseFlag")
    /\ flag' = 1
    /\ Goto(p, "UnlockEnter")
    /\ UNCHANGED <<enter, exit, lock, rounds, world>>

UnlockEnter(p) ==
    /\ At(p, "UnlockEnter")
    /\ Release(p)
    /\ Goto(p, "AwaitFlag")
    /\ UNCHANGED <<words, rounds, happened, seen>>

AwaitFlag(p) ==
    /\ At(p, "AwaitFlag")
    /\ flag # 0
    /\ Goto(p, "LockExit")
    /\ UNCHANGED <<words, lock, rounds, world>>

LockExit(p) ==
    /\ At(p, "LockExit")
    /\ Acquire(p)
    /\ Goto(p, "CountExit")
    /\ UNCHANGED <<words, rounds, happened, seen>>

CountExit(p) ==
    /\ At(p, "CountExit")
    /\ LET Update(x) == /\ exit' = x + 1
                        /\ Goto(p, IF x + 1 = n(p) THEN "ClearExit" ELSE "UnlockExit")
                        /\ UNCHANGED <<enter, flag>>
       IN  ReadWrite(p, exit, Update)
    /\ UNCHANGED <<lock, rounds, happened, orphan>>

ClearExit(p) ==
    /\ At(p, "ClearExit")
    /\ exit' = NotSet
    /\ Goto(p, "UnlockExit")
    /\ UNCHANGED <<enter, flag, lock, rounds, world>>

UnlockExit(p) ==
    /\ At(p, "UnlockExit")
    /\ Release(p)
    /\ rounds' = Rebase([rounds EXCEPT ![p] = @ + 1])
    /\ Goto(p, "Call")
    /\ UNCHANGED <<words, happened, seen>>

-----------------------------------------------------------------------------
(* Withdrawal: the context of the call ends, and the call leaves as if it   *)
(* had never come.                                                          *)

GiveUp(p) ==
    /\ MayGiveUp(p)
    /\ \/ /\ pc[p] \in {"LockInit", "LockEnter", "AwaitDrain", "LockFirst"}
          /\ Goto(p, "Call")
       \/ /\ pc[p] = "AwaitFlag"
          /\ Goto(p, "LockWithdraw")
    /\ UNCHANGED <<words, lock, rounds, world>>

LockWithdraw(p) ==
    /\ At(p, "LockWithdraw")
    /\ Acquire(p)
    /\ Goto(p, "TestFlag")
    /\ UNCHANGED <<words, rounds, happened, seen>>

TestFlag(p) ==
    /\ At(p, "TestFlag")
    /\ Goto(p, IF flag # 0 THEN "CountExit" ELSE "UncountEnter")
    /\ UNCHANGED <<words, lock, rounds, world>>

UncountEnter(p) ==
    /\ At(p, "UncountEnter")
    /\ enter' = enter - 1
    /\ Goto(p, "UnlockWithdraw")
    /\ UNCHANGED <<exit, flag, lock, rounds, world>>

UnlockWithdraw(p) ==
    /\ At(p, "UnlockWithdraw")
    /\ Release(p)
    /\ Goto(p, "Call")
    /\ UNCHANGED <<words, rounds, happened, seen>>

-----------------------------------------------------------------------------
(* Construction, without the lock.                                          *)

MakeEnter(p) ==
    /\ At(p, "MakeEnter")
    /\ enter' = 0
    /\ Goto(p, "MakeExit")
    /\ UNCHANGED <<exit, flag, lock, rounds, world>>

MakeExit(p) ==
    /\ At(p, "MakeExit")
    /\ exit' = NotSet
    /\ Goto(p, "MakeFlag")
    /\ UNCHANGED <<enter, flag, lock, rounds, world>>

MakeFlag(p) ==
    /\ At(p, "MakeFlag")
    /\ flag' = 1
    /\ Goto(p, "Call")
    /\ UNCHANGED <<enter, exit, lock, rounds, world>>

-----------------------------------------------------------------------------
(* What goes wrong: events of the environment.                              *)

\* Process 0 dies, wherever it is.  The kernel frees its lock; the words stay.
Die(p) ==
    /\ MayDie(p) /\ "Die" \notin happened
    /\ happened' = happened \union {"Die"}
    /\ lock' = IF lock = p THEN None ELSE lock
    /\ UNCHANGED <<words, pc, rounds, orphan, seen>>

\* Process 0 leaves its wait without withdrawing.
Abandon(p) ==
    /\ MayAbandon /\ p = 0
    /\ pc[p] \in {"AwaitDrain", "AwaitFlag"}
    /\ Goto(p, "Call")
    /\ UNCHANGED <<words, lock, rounds, world>>

\* The lock file is unlinked and made anew.  Its holder keeps the old one;
\* whoever acquires from now on takes the new one.
Relink ==
    /\ MayRelink /\ "Relink" \notin happened
    /\ happened' = happened \union {"Relink"}
    /\ orphan' = lock /\ lock' = None
    /\ UNCHANGED <<words, pc, rounds, seen>>

-----------------------------------------------------------------------------
(* The whole.                                                               *)

Init ==
    /\ enter = 0 /\ exit = NotSet /\ flag = 1
    /\ lock = None
    /\ pc = [p \in Procs |->
             IF Scenario = "late-construction" /\ p = 0 THEN "MakeEnter" ELSE "Call"]
    /\ rounds = [p \in Procs |-> IF p \in Parties(1) THEN 0 ELSE 1]
    /\ happened = {} /\ orphan = None
    /\ seen = [p \in Procs |-> Nothing]

Step(p) ==
    \/ Call(p)
    \/ LockInit(p) \/ InitExit(p) \/ UnlockInit(p)
    \/ LockEnter(p) \/ TestFirst(p)
    \/ UnlockFirst(p) \/ AwaitDrain(p) \/ LockFirst(p) \/ LowerFlag(p)
    \/ CountEnter(p) \/ ResetEnter(p) \/ ResetExit(p) \/ RaiseFlag(p) \/ UnlockEnter(p)
    \/ AwaitFlag(p)
    \/ LockExit(p) \/ CountExit(p) \/ ClearExit(p) \/ UnlockExit(p)
    \/ LockWithdraw(p) \/ TestFlag(p) \/ UncountEnter(p) \/ UnlockWithdraw(p)
    \/ MakeEnter(p) \/ MakeExit(p) \/ MakeFlag(p)

Steps  == \E p \in Procs : Step(p)
Misuse == Relink \/ \E p \in Procs : Die(p) \/ Abandon(p)
Next   == Steps \/ Misuse \/ \E p \in Procs : GiveUp(p)

Spec == Init /\ [][Next]_vars

\* Every process keeps going, and in the end nobody gives up any more.
FairSpec == Spec /\ \A p \in Procs : WF_vars(Step(p))
LiveSpec == FairSpec /\ <>[][Steps]_vars

-----------------------------------------------------------------------------
(* The properties.                                                          *)

Outside(p) == pc[p] = "Call"
Making(p)  == pc[p] \in {"MakeEnter", "MakeExit", "MakeFlag"}
Inside(p)  == ~Outside(p) /\ ~Making(p)
Begun(p)   == rounds[p] + (IF Inside(p) THEN 1 ELSE 0)

\* Where a process is between an acquire and its release.
Holding == { "InitExit", "UnlockInit", "TestFirst", "UnlockFirst", "LowerFlag",
             "CountEnter", "ResetEnter", "ResetExit", "RaiseFlag", "UnlockEnter",
             "CountExit", "ClearExit", "UnlockExit",
             "TestFlag", "UncountEnter", "UnlockWithdraw" }

NoEarlyExit ==
    \A p, q \in Procs : \A r \in 1 .. rounds[p] :
        {p, q} \subseteq Parties(r) => r <= Begun(q)

\* Here and in Quiescent the count is N, how many processes there are, whatever
\* count their calls pass: where that is less, one may be exceeded by the other.
WordsInRange == enter \in 0 .. N /\ exit \in -1 .. N /\ flag \in {0, 1}

LockExclusive == Cardinality({p \in Procs : pc[p] \in Holding /\ ~Dead(p)}) <= 1

Quiescent == (\A p \in Procs : Outside(p)) => enter = 0 /\ exit \in {-1, N}

\* Somebody can take a step, or all have made all their calls.  (What happens
\* to a process need not happen, so it is no way out: neither to give up nor
\* misuse is a step, and TLC's own deadlock check would not do.)
NoDeadlock == ENABLED Steps \/ \A p \in Procs : Resting(p) \/ Dead(p)

NoHang == \A p \in Procs :
              Inside(p) /\ ~Dead(p) ~> Outside(p) \/ Dead(p)

-----------------------------------------------------------------------------
(* Refinement: what is inside is in the round; what has been completed is   *)
(* what has been left.                                                      *)

Abstract == INSTANCE Barrier WITH
                Procs     <- Procs,
                Quitting  <- \E p \in Procs : MayGiveUp(p),
                Rebase    <- Rebase,
                inside    <- [p \in Procs |-> Inside(p)],
                completed <- rounds

RefinesBarrier == Abstract!Spec /\ Abstract!Live

-----------------------------------------------------------------------------
(* Deliberately false: each says that something worth checking never        *)
(* happens, and TLC shows how it does.  So nothing above holds only because *)
(* nothing happens.                                                         *)

\* Everybody makes all the calls there are.
ReachTheEnd == ~\A p \in Procs : Resting(p)

\* One is in the next round while another has yet to leave the last.
ReachOverlap == ~\E p, q \in Procs : pc[p] = "AwaitDrain" /\ rounds[p] > rounds[q]

\* Two are first at once: the second lowers the flag again.
ReachTwoFirsts == ~\E p, q \in Procs : pc[p] = "LowerFlag" /\ pc[q] = "LockFirst"  /\ enter > 0

\* A call is withdrawn after it was counted.
ReachWithdrawn == ~\E p \in Procs : pc[p] = "UnlockWithdraw"

\* A call gives up too late: its round is complete, and it returns success.
ReachTooLate == ~\E p \in Procs : pc[p] = "TestFlag" /\ flag # 0

=============================================================================
