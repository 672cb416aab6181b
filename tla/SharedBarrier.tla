---------------------------- MODULE SharedBarrier ----------------------------
(***************************************************************************)
(* The protocol of spec/PROTOCOL.md: three words, one lock, and an action  *)
(* for each step, under its label and in its order.  pc[p] is the label of *)
(* the step that process p takes next.                                     *)
(*                                                                         *)
(* Callers keep every guarantee of section 10 here.  MCSharedBarrier       *)
(* redefines what callers and the environment do, and breaks them one by   *)
(* one.                                                                    *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
    N,      \* the number of processes, which are 0 .. N-1
    Rounds  \* how many calls each process makes; 0: unbounded

ASSUME N \in Nat \ {0} /\ Rounds \in Nat

VARIABLES
    enter, exit, flag,  \* the three words
    lock,               \* the process that holds the lock, or None
    pc,                 \* pc[p]: the step that p takes next
    rounds,             \* rounds[p]: how many calls p has completed
    env                 \* the environment's own; no step below depends on it

words == <<enter, exit, flag>>
vars  == <<enter, exit, flag, lock, pc, rounds, env>>

Procs  == 0 .. N-1
None   == -1  \* no process
NotSet == -1  \* the party count is not set yet

-----------------------------------------------------------------------------
(* What callers and the environment do.                                     *)

\* The party count that p passes in its r-th call.
Count(p, r) == N

\* The parties of round r.
Parties(r) == Procs

\* May p begin its r-th call now?
MayCall(p, r) == TRUE

\* May a call of p withdraw?
MayGiveUp(p) == FALSE

\* Has p died?
Dead(p) == FALSE

\* The type of env.
EnvOK == env = None

-----------------------------------------------------------------------------
(* What the steps are made of.                                              *)

At(p, step)   == pc[p] = step /\ ~Dead(p)
Goto(p, step) == pc' = [pc EXCEPT ![p] = step]

\* A process whose lock file was unlinked does not hold the lock that it frees.
Acquire(p) == lock = None /\ lock' = p
Release(p) == lock' = IF lock = p THEN None ELSE lock

n(p) == Count(p, rounds[p] + 1)  \* the party count of the call of p

\* A read of a word and the write of Update(what was read): one step, by the
\* lock.  MCSharedBarrier makes two steps of it.
ReadWrite(p, word, Update(_)) == Update(word) /\ UNCHANGED env

\* p has made all its calls.
Resting(p) == /\ pc[p] = "Call" /\ Rounds > 0
              /\ rounds[p] = Rounds \/ p \notin Parties(rounds[p] + 1)

\* Unbounded rounds are relative: the least of them is always 0.
Rebase(r) ==
    IF Rounds > 0 THEN r
    ELSE LET least == CHOOSE m \in {r[p] : p \in Procs} :
                          \A p \in Procs : m <= r[p]
         IN  [p \in Procs |-> r[p] - least]

-----------------------------------------------------------------------------
(* The steps of a call (section 4).                                         *)

Call(p) ==
    /\ At(p, "Call")
    /\ ~Resting(p) /\ MayCall(p, rounds[p] + 1)
    /\ Goto(p, "LockInit")
    /\ UNCHANGED <<words, lock, rounds, env>>

LockInit(p) ==
    /\ At(p, "LockInit")
    /\ Acquire(p)
    /\ Goto(p, "InitExit")
    /\ UNCHANGED <<words, rounds, env>>

InitExit(p) ==
    /\ At(p, "InitExit")
    /\ LET Update(x) == /\ exit' = IF x = NotSet THEN n(p) ELSE exit
                        /\ Goto(p, "UnlockInit")
                        /\ UNCHANGED <<enter, flag>>
       IN  ReadWrite(p, exit, Update)
    /\ UNCHANGED <<lock, rounds>>

UnlockInit(p) ==
    /\ At(p, "UnlockInit")
    /\ Release(p)
    /\ Goto(p, "LockEnter")
    /\ UNCHANGED <<words, rounds, env>>

LockEnter(p) ==
    /\ At(p, "LockEnter")
    /\ Acquire(p)
    /\ Goto(p, "TestFirst")
    /\ UNCHANGED <<words, rounds, env>>

TestFirst(p) ==
    /\ At(p, "TestFirst")
    /\ Goto(p, IF enter = 0 THEN "UnlockFirst" ELSE "CountEnter")
    /\ UNCHANGED <<words, lock, rounds, env>>

UnlockFirst(p) ==
    /\ At(p, "UnlockFirst")
    /\ Release(p)
    /\ Goto(p, "AwaitDrain")
    /\ UNCHANGED <<words, rounds, env>>

AwaitDrain(p) ==
    /\ At(p, "AwaitDrain")
    /\ exit = n(p)
    /\ Goto(p, "LockFirst")
    /\ UNCHANGED <<words, lock, rounds, env>>

LockFirst(p) ==
    /\ At(p, "LockFirst")
    /\ Acquire(p)
    /\ Goto(p, "LowerFlag")
    /\ UNCHANGED <<words, rounds, env>>

LowerFlag(p) ==
    /\ At(p, "LowerFlag")
    /\ flag' = 0
    /\ Goto(p, "CountEnter")
    /\ UNCHANGED <<enter, exit, lock, rounds, env>>

CountEnter(p) ==
    /\ At(p, "CountEnter")
    /\ LET Update(x) == /\ enter' = x + 1
                        /\ Goto(p, IF x + 1 = n(p) THEN "ResetEnter" ELSE "UnlockEnter")
                        /\ UNCHANGED <<exit, flag>>
       IN  ReadWrite(p, enter, Update)
    /\ UNCHANGED <<lock, rounds>>

ResetEnter(p) ==
    /\ At(p, "ResetEnter")
    /\ enter' = 0
    /\ Goto(p, "ResetExit")
    /\ UNCHANGED <<exit, flag, lock, rounds, env>>

ResetExit(p) ==
    /\ At(p, "ResetExit")
    /\ exit' = 0
    /\ Goto(p, "RaiseFlag")
    /\ UNCHANGED <<enter, flag, lock, rounds, env>>

RaiseFlag(p) ==
    /\ At(p, "RaiseFlag")
    /\ flag' = 1
    /\ Goto(p, "UnlockEnter")
    /\ UNCHANGED <<enter, exit, lock, rounds, env>>

UnlockEnter(p) ==
    /\ At(p, "UnlockEnter")
    /\ Release(p)
    /\ Goto(p, "AwaitFlag")
    /\ UNCHANGED <<words, rounds, env>>

AwaitFlag(p) ==
    /\ At(p, "AwaitFlag")
    /\ flag # 0
    /\ Goto(p, "LockExit")
    /\ UNCHANGED <<words, lock, rounds, env>>

LockExit(p) ==
    /\ At(p, "LockExit")
    /\ Acquire(p)
    /\ Goto(p, "CountExit")
    /\ UNCHANGED <<words, rounds, env>>

CountExit(p) ==
    /\ At(p, "CountExit")
    /\ LET Update(x) == /\ exit' = x + 1
                        /\ Goto(p, IF x + 1 = n(p) THEN "ClearExit" ELSE "UnlockExit")
                        /\ UNCHANGED <<enter, flag>>
       IN  ReadWrite(p, exit, Update)
    /\ UNCHANGED <<lock, rounds>>

ClearExit(p) ==
    /\ At(p, "ClearExit")
    /\ exit' = NotSet
    /\ Goto(p, "UnlockExit")
    /\ UNCHANGED <<enter, flag, lock, rounds, env>>

UnlockExit(p) ==
    /\ At(p, "UnlockExit")
    /\ Release(p)
    /\ rounds' = Rebase([rounds EXCEPT ![p] = @ + 1])
    /\ Goto(p, "Call")
    /\ UNCHANGED <<words, env>>

-----------------------------------------------------------------------------
(* Withdrawal (section 5): the context of the call ends, and the call       *)
(* undoes its effect on the words.                                          *)

GiveUp(p) ==
    /\ MayGiveUp(p)
    /\ \/ /\ pc[p] \in {"LockInit", "LockEnter", "AwaitDrain", "LockFirst"}
          /\ Goto(p, "Call")
       \/ /\ pc[p] = "AwaitFlag"
          /\ Goto(p, "LockWithdraw")
    /\ UNCHANGED <<words, lock, rounds, env>>

LockWithdraw(p) ==
    /\ At(p, "LockWithdraw")
    /\ Acquire(p)
    /\ Goto(p, "TestFlag")
    /\ UNCHANGED <<words, rounds, env>>

TestFlag(p) ==
    /\ At(p, "TestFlag")
    /\ Goto(p, IF flag # 0 THEN "CountExit" ELSE "UncountEnter")
    /\ UNCHANGED <<words, lock, rounds, env>>

UncountEnter(p) ==
    /\ At(p, "UncountEnter")
    /\ enter' = enter - 1
    /\ Goto(p, "UnlockWithdraw")
    /\ UNCHANGED <<exit, flag, lock, rounds, env>>

UnlockWithdraw(p) ==
    /\ At(p, "UnlockWithdraw")
    /\ Release(p)
    /\ Goto(p, "Call")
    /\ UNCHANGED <<words, rounds, env>>

-----------------------------------------------------------------------------
(* Construction (section 6), without the lock.                              *)

MakeEnter(p) ==
    /\ At(p, "MakeEnter")
    /\ enter' = 0
    /\ Goto(p, "MakeExit")
    /\ UNCHANGED <<exit, flag, lock, rounds, env>>

MakeExit(p) ==
    /\ At(p, "MakeExit")
    /\ exit' = NotSet
    /\ Goto(p, "MakeFlag")
    /\ UNCHANGED <<enter, flag, lock, rounds, env>>

MakeFlag(p) ==
    /\ At(p, "MakeFlag")
    /\ flag' = 1
    /\ Goto(p, "Call")
    /\ UNCHANGED <<enter, exit, lock, rounds, env>>

-----------------------------------------------------------------------------
(* The specification.                                                       *)

InitWords == enter = 0 /\ exit = NotSet /\ flag = 1 /\ lock = None

Init ==
    /\ InitWords
    /\ pc = [p \in Procs |-> "Call"]
    /\ rounds = [p \in Procs |-> 0]
    /\ env = None

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

Steps == \E p \in Procs : Step(p)
Next  == Steps \/ \E p \in Procs : GiveUp(p)

Spec == Init /\ [][Next]_vars

\* Each process keeps taking steps, and from some time on no call gives up.
Fairness == \A p \in Procs : WF_vars(Step(p))
LiveSpec == Spec /\ Fairness /\ <>[][Steps]_vars

-----------------------------------------------------------------------------
(* The properties.                                                          *)

\* The steps between an acquire and its release.
Holding == { "InitExit", "UnlockInit", "TestFirst", "UnlockFirst", "LowerFlag",
             "CountEnter", "ResetEnter", "ResetExit", "RaiseFlag", "UnlockEnter",
             "CountExit", "ClearExit", "UnlockExit",
             "TestFlag", "UncountEnter", "UnlockWithdraw" }

Making == {"MakeEnter", "MakeExit", "MakeFlag"}

Labels == Holding \union Making \union
           { "Call", "LockInit", "LockEnter", "AwaitDrain", "LockFirst",
             "AwaitFlag", "LockExit", "LockWithdraw" }

Outside(p) == pc[p] = "Call"
Inside(p)  == pc[p] \notin Making \union {"Call"}
Begun(p)   == rounds[p] + (IF Inside(p) THEN 1 ELSE 0)

TypeOK ==
    /\ {enter, exit, flag} \subseteq Int
    /\ lock \in Procs \union {None}
    /\ pc \in [Procs -> Labels]
    /\ rounds \in [Procs -> Nat]
    /\ EnvOK

NoEarlyExit ==
    \A p, q \in Procs : \A r \in 1 .. rounds[p] :
        {p, q} \subseteq Parties(r) => r <= Begun(q)

\* Here and in Quiescent the bound is N, whatever count a call passes: a word
\* may exceed the count of a call and still be in range.
WordsInRange == enter \in 0 .. N /\ exit \in -1 .. N /\ flag \in {0, 1}

LockExclusive == Cardinality({p \in Procs : pc[p] \in Holding /\ ~Dead(p)}) <= 1

Quiescent == (\A p \in Procs : Outside(p)) => enter = 0 /\ exit \in {-1, N}

\* A process can take a step, or all have made all their calls.  GiveUp and the
\* misuse of MCSharedBarrier are no steps: they may happen, but need not.
NoDeadlock == ENABLED Steps \/ \A p \in Procs : Resting(p) \/ Dead(p)

NoHang == \A p \in Procs :
              Inside(p) /\ ~Dead(p) ~> Outside(p) \/ Dead(p)

-----------------------------------------------------------------------------
(* Refinement: a process is in the round while it is inside, and leaves it  *)
(* when it completes its call.                                              *)

Abstract == INSTANCE Barrier WITH
                Procs     <- Procs,
                Quitting  <- \E p \in Procs : MayGiveUp(p),
                Rebase    <- Rebase,
                inside    <- [p \in Procs |-> Inside(p)],
                completed <- rounds

RefinesBarrier == Abstract!Spec /\ Abstract!Live

=============================================================================
