-------------------------- MODULE TraceSharedBarrier --------------------------
(***************************************************************************)
(* Are traces of real processes behaviours of SharedBarrier?               *)
(* spec/TRACES.md has their format.  Traces, of module Recorded, is a      *)
(* sequence of traces.  A trace is a sequence of events, in the order of   *)
(* the file: <<process, label, number, until, parties, words, lost>>.      *)
(*                                                                         *)
(* An event is a process that comes to a step, and records it.  The events *)
(* are read one by one, and a process takes a step at any time after its   *)
(* event is read.  The next event is read when those before it are         *)
(* explained.  So the first event that cannot be explained is the one      *)
(* after the longest part of the file that can.                            *)
(***************************************************************************)
EXTENDS SharedBarrier, Sequences, TLC, Recorded

CONSTANT EveryOrder  \* TRUE: take the steps in every order, not in one that is as good

VARIABLES
    which,     \* the trace
    read,      \* how many of its events are read
    seen,      \* seen[p]: how many of them are events of p
    at,        \* at[p]: how many events of p are over: their steps are taken
    count,     \* count[p]: the party count of p's call
    numbered,  \* the number of the last step under the lock that is read
    lost       \* how many numbers below it are missing

reading == <<which, read, seen, numbered, lost>>

-----------------------------------------------------------------------------
(* Events.                                                                  *)

Proc(e)   == e[1]
Label(e)  == e[2]
Number(e) == e[3]
Until(e)  == e[4]
Passed(e) == e[5]  \* the party count
Seen(e)  == e[6]
IsLost(e) == e[7]  \* the process may have died at any time after the step

Acquires  == {"LockInit", "LockEnter", "LockFirst", "LockExit", "LockWithdraw"}
Polls     == {"AwaitDrain", "AwaitFlag"}
LastWords == {"Die", "error"}  \* the process takes no further step

Locked(e) == Label(e) \in Holding

Trace == Traces[which]

\* Own[t][p] has the places of the events of process p in trace t.
Own == [t \in DOMAIN Traces |-> [p \in Procs |->
          SelectSeq([i \in DOMAIN Traces[t] |-> i], LAMBDA i : Proc(Traces[t][i]) = p)]]

\* Deaths[t] is how many processes die.
Deaths == [t \in DOMAIN Traces |->
             Cardinality({i \in DOMAIN Traces[t] : Label(Traces[t][i]) = "Die"})]

Event(p, i)   == Trace[Own[which][p][i]]
LabelOf(p, i) == IF i \in DOMAIN Own[which][p] THEN Label(Event(p, i)) ELSE "none"

Left(p) == seen[p] - at[p]         \* how many events of p are read and not over
Coming(p) == Event(p, at[p] + 1)     \* the first of them
Last(p) == LabelOf(p, at[p])       \* the label of the last event of p that is over
MayBeGone(p) == at[p] > 0 /\ IsLost(Event(p, at[p]))
Then(p) == LabelOf(p, at[p] + 2)   \* the label of the event after Coming(p)

-----------------------------------------------------------------------------
(* What callers and the environment do.  A process gives up and leaves its  *)
(* wait where its events allow it.  env is the set of the dead.             *)

TraceCount(p, r)  == count[p]
TraceMayGiveUp(p) == TRUE
TraceDead(p)      == p \in env
TraceEnvOK        == env \subseteq Procs

Die(p) == /\ env' = env \union {p}
          /\ Release(p)
          /\ UNCHANGED <<words, pc, rounds>>

Abandon(p) == /\ pc[p] \in Polls
              /\ Goto(p, "Call")
              /\ UNCHANGED <<words, lock, rounds, env>>

-----------------------------------------------------------------------------
(* What an event says.                                                      *)

\* The labels of the events after which p is at Call, and how it came there is
\* what the next event says.
CallsAfter == [ returned  |-> {"UnlockExit"},
                withdrawn |-> {"UnlockWithdraw", "LockInit", "LockEnter", "AwaitDrain", "LockFirst"},
                abandoned |-> {"AwaitDrain", "AwaitFlag"},
                Call      |-> {"none", "returned", "withdrawn", "abandoned", "UnlockExit", "UnlockWithdraw"} ]

\* The state is the one in which p records e.  Where p is at a step under the
\* lock, it holds the lock.
Fits(p, e) ==
    CASE Label(e) \in LastWords         -> TRUE
      [] Label(e) \in DOMAIN CallsAfter -> pc[p] = "Call" /\ Last(p) \in CallsAfter[Label(e)]
      [] OTHER                          -> /\ pc[p] = Label(e)
                                           /\ Locked(e) => words = Seen(e)

\* The numbers of e, the next event of the file, are right.
InOrder(e) ==
    LET p     == Proc(e)
        first == seen[p] = 0
        prev  == Event(p, seen[p])  \* the event of p before it
    IN  /\ ~first => /\ Label(prev) \notin LastWords
                     /\ seen[p] > 1 /\ IsLost(Event(p, seen[p] - 1)) => Label(e) \in LastWords
                     /\ IsLost(prev) => ~IsLost(e)
                     /\ Number(prev) <= Number(e)
                     /\ ~Locked(prev) => Until(prev) = Number(e)
        /\ CASE Label(e) = "Die" -> TRUE
             [] Locked(e)        -> /\ Number(e) > numbered
                                    /\ lost + Number(e) - numbered - 1 <= Deaths[which]
             [] OTHER            -> /\ Number(e) \in {numbered, numbered + 1}
                                    /\ ~first /\ Label(e) \in Polls /\ Number(e) = numbered
                                         => Locked(prev) /\ Number(prev) = numbered

\* p comes to its next event after all steps under the lock with lower numbers.
InTime(p) == Label(Coming(p)) \notin LastWords =>
                \A q \in Procs : Left(q) > 0 /\ Locked(Coming(q))
                                  => Number(Coming(q)) >= Number(Coming(p))

\* What lets p go on at a poll may be a step that is not read yet.
Waits(p) == /\ Left(p) > 1
            /\ Fits(p, Coming(p)) /\ ~ENABLED Step(p)
            /\ \/ Label(Coming(p)) = "AwaitDrain" /\ Then(p) = "LockFirst"
               \/ Label(Coming(p)) = "AwaitFlag"  /\ Then(p) = "LockExit"
            /\ Number(Event(p, at[p] + 2)) > numbered

\* Of the events that are read, all are over, but the last may be to come.
Explained(p) == \/ Left(p) = 0
                \/ Left(p) = 1 /\ Fits(p, Coming(p))
                \/ Waits(p)

AllExplained == \A p \in Procs : Explained(p)

-----------------------------------------------------------------------------
(* The steps.                                                               *)

Read ==
    /\ read < Len(Trace)
    /\ AllExplained
    /\ LET e == Trace[read + 1]
       IN  /\ InOrder(e)
           /\ seen' = [seen EXCEPT ![Proc(e)] = @ + 1]
           /\ numbered' = IF Locked(e) THEN Number(e) ELSE numbered
           /\ lost' = IF Locked(e) THEN lost + Number(e) - numbered - 1 ELSE lost
    /\ read' = read + 1
    /\ UNCHANGED <<vars, which, at, count>>

\* The event after next says what p does at a step without the lock.
GivesUp(p) == \/ Then(p) = "withdrawn" /\ ~Locked(Coming(p))
              \/ Then(p) = "LockWithdraw" /\ Label(Coming(p)) = "AwaitFlag"
Leaves(p)  == Then(p) = "abandoned" /\ ~Locked(Coming(p))

GoesOn(p) == IF EveryOrder THEN Step(p) \/ GiveUp(p) \/ Abandon(p)
             ELSE IF GivesUp(p) THEN GiveUp(p)
             ELSE IF Leaves(p) THEN Abandon(p)
             ELSE Step(p)

\* The next event of p is over.
Take(p) ==
    /\ Left(p) > 0
    /\ InTime(p) /\ Fits(p, Coming(p))
    /\ CASE Label(Coming(p)) \in LastWords -> Die(p)
         [] Label(Coming(p)) \in Labels    -> GoesOn(p)
         [] OTHER                          -> UNCHANGED vars
    /\ count' = IF Label(Coming(p)) = "Call" THEN [count EXCEPT ![p] = Passed(Coming(p))] ELSE count
    /\ at' = [at EXCEPT ![p] = @ + 1]
    /\ UNCHANGED reading

\* p, whose next event is of a step under the lock, is known to take that.
Takes(p) == IsLost(Coming(p)) /\ Locked(Coming(p))

\* p dies before it takes the step of its next event.
Perish(p) ==
    /\ Left(p) > 1
    /\ Fits(p, Coming(p)) /\ Then(p) \in LastWords /\ ~Takes(p)
    /\ Die(p)
    /\ at' = [at EXCEPT ![p] = @ + 2]
    /\ UNCHANGED <<reading, count>>

\* p dies after a lost step.
Vanish(p) ==
    /\ MayBeGone(p) /\ p \notin env
    /\ Die(p)
    /\ UNCHANGED <<reading, at, count>>

\* p, which had died before, did not take the step of its next event.
Skip(p) ==
    /\ Left(p) > 0
    /\ MayBeGone(p) /\ p \in env /\ pc[p] = Label(Coming(p))
    /\ at' = [at EXCEPT ![p] = @ + 1]
    /\ UNCHANGED <<vars, reading, count>>

-----------------------------------------------------------------------------
(* One order that is as good as any.  No process notices when another one   *)
(* takes a step without the lock.  So a process acquires the lock when it   *)
(* must, and takes any other step at once.  It does not take its last step  *)
(* unless that is under the lock: then both are tried.  After a lost step   *)
(* it may die at any time, and before that acquire the lock.                *)

MayStay(p) == /\ Left(p) > 0 /\ Label(Coming(p)) \in Labels
              /\ Then(p) \in LastWords \union {"none"} /\ ~Takes(p)

AtOnce(p) == IF p \in env /\ MayStay(p) THEN Skip(p)
             ELSE IF MayStay(p) THEN ~Locked(Coming(p)) /\ Perish(p)
             ELSE /\ Left(p) > 0
                  /\ Label(Coming(p)) \in Acquires => Left(p) > 1
                  /\ Take(p)

OneOrder ==
    LET ready == {p \in Procs : ENABLED AtOnce(p)}
    IN  IF ready # {} THEN AtOnce(CHOOSE p \in ready : \A q \in ready : p <= q)
        ELSE \/ Read
             \/ \E p \in Procs : \/ MayStay(p) /\ Locked(Coming(p)) /\ (Take(p) \/ Perish(p))
                                 \/ Left(p) > 0 /\ IsLost(Coming(p)) /\ Take(p)
                                 \/ Vanish(p)

-----------------------------------------------------------------------------
(* The specification.                                                       *)

TraceInit ==
    /\ which \in DOMAIN Traces
    /\ read = 0 /\ numbered = 0 /\ lost = 0
    /\ seen = [p \in Procs |-> 0] /\ at = seen /\ count = seen
    /\ InitWords
    /\ pc = [p \in Procs |-> "Call"]
    /\ rounds = [p \in Procs |-> 0]
    /\ env = {}

TraceNext == IF EveryOrder THEN Read \/ \E p \in Procs : Take(p) \/ Perish(p) \/ Vanish(p) \/ Skip(p) ELSE OneOrder

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, reading, at, count>>

-----------------------------------------------------------------------------
(* What is printed: how many events are explained, and the states that lead *)
(* no further.                                                              *)

ASSUME \A t \in DOMAIN Traces : TLCSet(t, -1)

Progress == AllExplained /\ read > TLCGet(which) =>
                TLCSet(which, read) /\ PrintT(<<"explained", which, read>>)

\* The part of p's next event that contradicts.
Part(p) ==
    LET e == Coming(p)
    IN  CASE ~Fits(p, e)             -> IF Locked(e) /\ pc[p] = Label(e) THEN "word" ELSE "step"
          [] GivesUp(p) \/ Leaves(p) -> "step"
          [] Label(e) \in Polls      -> "word"
          [] Label(e) \in Acquires   -> "lock"
          [] OTHER                   -> "step"

Stuck == /\ AllExplained /\ read < Len(Trace) => ~InOrder(Trace[read + 1])
         /\ AllExplained => read < Len(Trace)
         /\ ~ENABLED TraceNext

PrintStuck == PrintT(ToString(
    [ trace |-> which, read |-> read, numbered |-> numbered,
      enter |-> enter, exit |-> exit, flag |-> flag, lock |-> lock,
      pc |-> pc, rounds |-> rounds, count |-> count, dead |-> env,
      able  |-> {p \in Procs : ENABLED Step(p)},
      wrong |-> {[proc |-> p, label |-> Label(Coming(p)), part |-> Part(p)] :
                   p \in {q \in Procs : ~Explained(q)}} ]))

\* Always true.
Report == Progress /\ (~EveryOrder /\ Stuck => PrintStuck)
=============================================================================
