-------------------------------- MODULE Group --------------------------------
(***************************************************************************)
(* A group of members at a barrier, and foreign parties beside it           *)
(* (spec/GROUP.md).  An action for each step of a member, under its label.  *)
(* The foreign parties take the steps of SharedBarrier.                     *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
    N,       \* the party count
    M,       \* the ranks 0 .. M-1 are those of members, the others of foreign parties
    Rounds,  \* how many rounds are to be completed
    Deaths,  \* how many members may die
    May      \* what else may happen: a subset of {"GiveUp", "Join", "Reset", "Leave"}

ASSUME M \in 1 .. N /\ Rounds \in Nat \ {0} /\ Deaths \in Nat
ASSUME May \subseteq {"GiveUp", "Join", "Reset", "Leave"}

VARIABLES
    enter, exit, flag, lock,    \* the barrier
    pc, rounds, env,            \* of the foreign parties, as in SharedBarrier
    turn, broken, completed,    \* the header of the group's segment
    owed,
    journal,
    slot,                       \* slot[p], of member p
    thread,                     \* thread[t]: 2p calls for member p, 2p+1 is its guardian
    died, done, committed, told \* what no process sees

words  == <<enter, exit, flag>>
header == <<turn, broken, completed, owed, journal>>
seen   == <<died, done, committed, told>>
others == <<pc, rounds, env>>
vars   == <<words, lock, others, header, slot, thread, seen>>

Members == 0 .. M-1
Parties == 0 .. N-1
Threads == 0 .. 2*M-1
Of(t)   == t \div 2

None   == -1
NotSet == -1
Closed == [phase |-> 0, taken |-> 0, round |-> 0, enter |-> 0, exit |-> 0, flag |-> 0]

\* A thread in the place of the process id that holds the lock: foreign parties
\* are M .. N-1.
Holder(t) == -2 - t

Vacant  == [owner |-> "vacant", round |-> 0, arrival |-> "outside", broken |-> 0]
Nobody  == [role |-> "absent", at |-> "Begin", round |-> 0, mine |-> 0,
            ended |-> FALSE, asleep |-> FALSE, final |-> FALSE]
Guardian(r) == [Nobody EXCEPT !.role = "guardian", !.at = "Watch", !.mine = r]

Foreign == INSTANCE SharedBarrier

-----------------------------------------------------------------------------
(* What the steps are made of.                                              *)

At(t, step) == thread[t].role # "absent" /\ thread[t].at = step

Goto(t, step) == thread' = [thread EXCEPT ![t].at = step]

\* Where the thread's own part of its section begins.
Own(t) == CASE thread[t].role = "joiner" ->
                   IF \A p \in Members : slot[p].owner # "live" THEN "Bury" ELSE "Claim"
            [] thread[t].role = "leaver"   -> "Vacate"
            [] thread[t].role = "resetter" -> "Bury"
            [] OTHER                       -> "Judge"

\* The thread after its section.
After(t) == CASE thread[t].role = "guardian" -> [thread[t] EXCEPT !.at = "Watch", !.ended = FALSE]
              [] thread[t].role = "caller"   -> [thread[t] EXCEPT !.at = "Gather", !.ended = FALSE]
              [] thread[t].role = "leaver"   -> Nobody
              [] OTHER -> [thread[t] EXCEPT !.role = "caller", !.at = "Begin", !.ended = FALSE]

Arrived(p, r) == slot[p].round = r /\ slot[p].arrival = "arrived"
Here(r)       == {p \in Members : slot[p].round = r /\ slot[p].arrival # "outside"}
Taken         == {p \in Members : slot[p].round = journal.round /\ slot[p].arrival = "taken"}

AllHere(r) == /\ Cardinality(Here(r)) + enter = N
              /\ exit = N

DeadUnmarked == \E p \in Members : slot[p].owner = "died" /\ slot[p].broken = 0
DeadNow      == \E p \in Members : slot[p].owner = "died" /\ slot[p].broken = turn
SomeDead     == \E p \in Members : slot[p].owner = "died"
SomeVacant   == M < N \/ \E p \in Members : slot[p].owner = "vacant"

ForeignParties == N - owed  \* of the round whose members are owed

CanSettle == owed > 0 /\ (exit = NotSet \/ exit + owed > ForeignParties)

\* A call at Gather takes a section.  Where a rank is vacant it takes one now and
\* then; one by which nothing changes is left out.
Due(t) ==
    IF SomeVacant
    THEN \/ journal.phase # 0 \/ CanSettle \/ DeadUnmarked
         \/ turn = thread[t].round /\ (exit = NotSet \/ AllHere(turn))
    ELSE /\ ~thread[t].asleep
         /\ \/ DeadUnmarked
            \/ \A p \in Members : Arrived(p, thread[t].round)

-----------------------------------------------------------------------------
(* A call (section 4).                                                      *)

\* A call of the rounds from .. to-1 returns the error.
Tell(from, to) == told' = told \union (from .. to-1)

Begin(t) ==
    /\ At(t, "Begin") /\ thread[t].role = "caller" /\ done < Rounds
    /\ IF thread[t].mine < turn
       THEN /\ Tell(thread[t].mine, turn)
            /\ thread' = [thread EXCEPT ![t].mine = turn]
            /\ UNCHANGED <<died, done, committed>>
       ELSE /\ ~broken
            /\ thread' = [thread EXCEPT ![t].at = "Arrive", ![t].round = turn]
            /\ UNCHANGED seen
    /\ UNCHANGED <<words, lock, others, header, slot>>

Arrive(t) ==
    /\ At(t, "Arrive")
    /\ slot' = [slot EXCEPT ![Of(t)].round = thread[t].round, ![Of(t)].arrival = "arrived"]
    /\ Goto(t, "Gather")
    /\ UNCHANGED <<words, lock, others, header, seen>>

Gather(t) ==
    /\ At(t, "Gather")
    /\ CASE ~thread[t].asleep /\ turn > thread[t].round -> Goto(t, "Return")
         [] ~(~thread[t].asleep /\ turn > thread[t].round) /\ Due(t) ->
              thread' = [thread EXCEPT ![t].at = "LockRound", ![t].asleep = FALSE]
         [] OTHER -> ~thread[t].asleep /\ thread' = [thread EXCEPT ![t].asleep = TRUE]
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

LockRound(t) ==
    /\ At(t, "LockRound")
    /\ lock = None /\ lock' = Holder(t)
    /\ Goto(t, "Repair")
    /\ UNCHANGED <<words, others, header, slot, seen>>

UnlockRound(t) ==
    /\ At(t, "UnlockRound")
    /\ lock' = None
    /\ thread' = [thread EXCEPT ![t] =
           CASE @.role = "guardian"            -> [@ EXCEPT !.at = "Wake", !.mine = turn]
             [] @.role = "caller" /\ ~@.ended  -> After(t)
             [] OTHER                          -> [@ EXCEPT !.at = "Wake"]]
    /\ UNCHANGED <<words, others, header, slot, seen>>

Wake(t) ==
    /\ At(t, "Wake")
    /\ thread' = [u \in Threads |->
                     IF u = t THEN [After(t) EXCEPT !.asleep = FALSE]
                     ELSE IF u % 2 = 0 THEN [thread[u] EXCEPT !.asleep = FALSE] ELSE thread[u]]
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

Return(t) ==
    /\ At(t, "Return")
    /\ IF completed >= thread[t].round THEN UNCHANGED told
                                       ELSE Tell(thread[t].round, thread[t].round + 1)
    /\ slot' = [slot EXCEPT ![Of(t)].round = 0, ![Of(t)].arrival = "outside"]
    /\ thread' = [thread EXCEPT ![t] = [@ EXCEPT !.at = "Begin", !.mine = thread[t].round + 1,
                                                 !.round = 0, !.final = FALSE]]
    /\ UNCHANGED <<words, lock, others, header, died, done, committed>>

Retract(t) ==
    /\ At(t, "Retract")
    /\ IF Arrived(Of(t), thread[t].round)
       THEN /\ slot' = [slot EXCEPT ![Of(t)].round = 0, ![Of(t)].arrival = "outside"]
            /\ thread' = [thread EXCEPT ![t].at = "Begin", ![t].round = 0]
       ELSE /\ thread' = [thread EXCEPT ![t].at = "Gather", ![t].final = TRUE]
            /\ UNCHANGED slot
    /\ UNCHANGED <<words, lock, others, header, seen>>

\* The guardian of p watches the next rank that is neither vacant nor dead in a
\* round that it has handled.
Watched(p) ==
    LET Skips(q) == \/ slot[q].owner = "vacant"
                    \/ slot[q].broken # 0 /\ slot[q].broken < thread[2*p + 1].mine
        ks == {k \in 1 .. M-1 : ~Skips((p + k) % M)}
    IN  IF ks = {} THEN None
        ELSE (p + CHOOSE k \in ks : \A l \in ks : k <= l) % M

Watch(t) ==
    /\ At(t, "Watch")
    /\ LET q == Watched(Of(t)) IN q # None /\ slot[q].owner = "died"
    /\ Goto(t, "LockRound")
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

-----------------------------------------------------------------------------
(* A section (section 5).                                                   *)

Repair(t) ==
    /\ At(t, "Repair")
    /\ Goto(t, CASE journal.phase = 0             -> "Settle"
                 [] journal.phase = 2 /\ flag # 0 -> "Owe"
                 [] OTHER                         -> "Reopen")
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

Reopen(t) ==
    /\ At(t, "Reopen")
    /\ journal' = [journal EXCEPT !.phase = 1]
    /\ Goto(t, "UndoEnter")
    /\ UNCHANGED <<words, lock, others, turn, broken, completed, owed, slot, seen>>

UndoEnter(t) ==
    /\ At(t, "UndoEnter")
    /\ enter' = journal.enter
    /\ Goto(t, "UndoExit")
    /\ UNCHANGED <<exit, flag, lock, others, header, slot, seen>>

UndoExit(t) ==
    /\ At(t, "UndoExit")
    /\ exit' = journal.exit
    /\ Goto(t, "UndoFlag")
    /\ UNCHANGED <<enter, flag, lock, others, header, slot, seen>>

UndoFlag(t) ==
    /\ At(t, "UndoFlag")
    /\ flag' = journal.flag
    /\ Goto(t, "Close")
    /\ UNCHANGED <<enter, exit, lock, others, header, slot, seen>>

Close(t) ==
    /\ At(t, "Close")
    /\ journal' = Closed
    /\ Goto(t, "Settle")
    /\ UNCHANGED <<words, lock, others, turn, broken, completed, owed, slot, seen>>

Settle(t) ==
    /\ At(t, "Settle")
    /\ Goto(t, CASE owed = 0                                -> "Break"
                 [] exit = NotSet \/ exit > ForeignParties  -> "Settled"
                 [] exit \in 0 .. ForeignParties /\ exit + owed > ForeignParties -> "CarryCountExit"
                 [] OTHER                                   -> "Break")
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

CarryCountExit(t) ==
    /\ At(t, "CarryCountExit")
    /\ exit' = IF exit + owed = N THEN NotSet ELSE exit + owed
    /\ Goto(t, "Settled")
    /\ UNCHANGED <<enter, flag, lock, others, header, slot, seen>>

Settled(t) ==
    /\ At(t, "Settled")
    /\ owed' = 0
    /\ Goto(t, "Break")
    /\ UNCHANGED <<words, lock, others, turn, broken, completed, journal, slot, seen>>

Break(t) ==
    /\ At(t, "Break")
    /\ Goto(t, IF DeadUnmarked THEN "Mark" ELSE IF DeadNow THEN "TurnBroken" ELSE Own(t))
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

Mark(t) ==
    /\ At(t, "Mark")
    /\ slot' = [p \in Members |->
                   IF slot[p].owner = "died" /\ slot[p].broken = 0
                   THEN [slot[p] EXCEPT !.broken = turn] ELSE slot[p]]
    /\ Goto(t, "TurnBroken")
    /\ UNCHANGED <<words, lock, others, header, seen>>

TurnBroken(t) ==
    /\ At(t, "TurnBroken")
    /\ turn' = turn + 1 /\ broken' = TRUE
    /\ thread' = [thread EXCEPT ![t].at = Own(t), ![t].ended = TRUE]
    /\ UNCHANGED <<words, lock, others, completed, owed, journal, slot, seen>>

Judge(t) ==
    /\ At(t, "Judge")
    /\ Goto(t, CASE thread[t].role = "guardian" \/ turn # thread[t].round -> "UnlockRound"
                 [] thread[t].role # "guardian" /\ turn = thread[t].round ->
                      IF exit = NotSet THEN "CarryInitExit" ELSE "Take")
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

CarryInitExit(t) ==
    /\ At(t, "CarryInitExit")
    /\ exit' = N
    /\ Goto(t, "Take")
    /\ UNCHANGED <<enter, flag, lock, others, header, slot, seen>>

Take(t) ==
    /\ At(t, "Take")
    /\ IF AllHere(thread[t].round)
       THEN /\ slot' = [p \in Members |-> IF p \in Here(thread[t].round)
                                          THEN [slot[p] EXCEPT !.arrival = "taken"] ELSE slot[p]]
            /\ Goto(t, "Open")
       ELSE Goto(t, "UnlockRound") /\ UNCHANGED slot
    /\ UNCHANGED <<words, lock, others, header, seen>>

Open(t) ==
    /\ At(t, "Open")
    /\ LET r == thread[t].round
       IN  journal' = [phase |-> 1, round |-> r, enter |-> enter, exit |-> exit, flag |-> flag,
                       taken |-> Cardinality({p \in Members : slot[p].round = r /\ slot[p].arrival = "taken"})]
    /\ Goto(t, IF enter = 0 THEN "CarryLowerFlag" ELSE "Ready")
    /\ UNCHANGED <<words, lock, others, turn, broken, completed, owed, slot, seen>>

CarryLowerFlag(t) ==
    /\ At(t, "CarryLowerFlag")
    /\ flag' = 0
    /\ Goto(t, "Ready")
    /\ UNCHANGED <<enter, exit, lock, others, header, slot, seen>>

Ready(t) ==
    /\ At(t, "Ready")
    /\ journal' = [journal EXCEPT !.phase = 2]
    /\ Goto(t, "CarryResetEnter")
    /\ UNCHANGED <<words, lock, others, turn, broken, completed, owed, slot, seen>>

CarryResetEnter(t) ==
    /\ At(t, "CarryResetEnter")
    /\ enter' = 0
    /\ Goto(t, "CarryResetExit")
    /\ UNCHANGED <<exit, flag, lock, others, header, slot, seen>>

CarryResetExit(t) ==
    /\ At(t, "CarryResetExit")
    /\ exit' = 0
    /\ Goto(t, "CarryRaiseFlag")
    /\ UNCHANGED <<enter, flag, lock, others, header, slot, seen>>

\* The commit.
CarryRaiseFlag(t) ==
    /\ At(t, "CarryRaiseFlag")
    /\ flag' = 1
    /\ done' = done + 1 /\ committed' = committed \union {journal.round}
    /\ Goto(t, "Owe")
    /\ UNCHANGED <<enter, exit, lock, others, header, slot, died, told>>

Owe(t) ==
    /\ At(t, "Owe")
    /\ owed' = journal.taken
    /\ Goto(t, "Complete")
    /\ UNCHANGED <<words, lock, others, turn, broken, completed, journal, slot, seen>>

Complete(t) ==
    /\ At(t, "Complete")
    /\ completed' = journal.round
    /\ Goto(t, "Turn")
    /\ UNCHANGED <<words, lock, others, turn, broken, owed, journal, slot, seen>>

Turn(t) ==
    /\ At(t, "Turn")
    /\ turn' = journal.round + 1 /\ broken' = FALSE
    /\ thread' = [thread EXCEPT ![t].at = "Close", ![t].ended = TRUE]
    /\ UNCHANGED <<words, lock, others, completed, owed, journal, slot, seen>>

-----------------------------------------------------------------------------
(* Membership (section 7).                                                  *)

Claim(t) ==
    /\ At(t, "Claim")
    /\ slot' = [slot EXCEPT ![Of(t)] = [Vacant EXCEPT !.owner = "live"]]
    /\ thread' = [thread EXCEPT ![t].at = "Mend", ![t].mine = turn, ![t + 1] = Guardian(turn)]
    /\ UNCHANGED <<words, lock, others, header, seen>>

Mend(t) ==
    /\ At(t, "Mend")
    /\ broken' = (broken /\ SomeDead)
    /\ Goto(t, "UnlockRound")
    /\ UNCHANGED <<words, lock, others, turn, completed, owed, journal, slot, seen>>

Vacate(t) ==
    /\ At(t, "Vacate")
    /\ slot' = [slot EXCEPT ![Of(t)] = Vacant]
    /\ thread' = [thread EXCEPT ![t].at = "UnlockRound", ![t + 1] = Nobody]
    /\ UNCHANGED <<words, lock, others, header, seen>>

Bury(t) ==
    /\ At(t, "Bury")
    /\ slot' = [p \in Members |-> IF slot[p].owner = "died" THEN Vacant ELSE slot[p]]
    /\ Goto(t, IF thread[t].role = "joiner" THEN "Claim" ELSE "Mend")
    /\ UNCHANGED <<words, lock, others, header, seen>>

-----------------------------------------------------------------------------
(* What may happen to a member.                                             *)

\* Both threads end.  The kernel releases the lock and marks the owner.
Die(p) ==
    /\ thread[2*p].role # "absent" /\ died < Deaths
    /\ lock' = IF lock \in {Holder(2*p), Holder(2*p + 1)} THEN None ELSE lock
    /\ slot' = [slot EXCEPT ![p].owner = IF @ = "live" THEN "died" ELSE @]
    /\ thread' = [thread EXCEPT ![2*p] = Nobody, ![2*p + 1] = Nobody]
    /\ died' = died + 1
    /\ UNCHANGED <<words, others, header, done, committed, told>>

GiveUp(p) ==
    /\ "GiveUp" \in May
    /\ thread[2*p].role = "caller" /\ thread[2*p].at \in {"Gather", "LockRound"} /\ ~thread[2*p].final
    /\ thread' = [thread EXCEPT ![2*p].at = "Retract", ![2*p].asleep = FALSE]
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

Join(p) ==
    /\ "Join" \in May /\ thread[2*p].role = "absent"
    /\ thread' = [thread EXCEPT ![2*p] = [Nobody EXCEPT !.role = "joiner", !.at = "LockRound"]]
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

Reset(p) ==
    /\ "Reset" \in May /\ broken
    /\ thread[2*p].role = "caller" /\ thread[2*p].at = "Begin"
    /\ thread' = [thread EXCEPT ![2*p].role = "resetter", ![2*p].at = "LockRound"]
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

Leave(p) ==
    /\ "Leave" \in May /\ ENABLED Begin(2*p)
    /\ thread[2*p].role = "caller" /\ thread[2*p].at = "Begin"
    /\ thread' = [thread EXCEPT ![2*p].role = "leaver", ![2*p].at = "LockRound"]
    /\ UNCHANGED <<words, lock, others, header, slot, seen>>

-----------------------------------------------------------------------------
(* The specification.                                                       *)

Init ==
    /\ enter = 0 /\ exit = NotSet /\ flag = 1 /\ lock = None
    /\ pc = [p \in Parties |-> "Call"] /\ rounds = [p \in Parties |-> 0] /\ env = None
    /\ turn = 1 /\ broken = FALSE /\ completed = 0 /\ owed = 0 /\ journal = Closed
    /\ slot = [p \in Members |-> [Vacant EXCEPT !.owner = "live"]]
    /\ thread = [t \in Threads |->
                    IF t % 2 = 0 THEN [Nobody EXCEPT !.role = "caller", !.mine = 1] ELSE Guardian(1)]
    /\ died = 0 /\ done = 0 /\ committed = {} /\ told = {}

Step(t) ==
    \/ Begin(t) \/ Arrive(t) \/ Gather(t) \/ LockRound(t) \/ UnlockRound(t) \/ Wake(t)
    \/ Return(t) \/ Retract(t) \/ Watch(t)
    \/ Repair(t) \/ Reopen(t) \/ UndoEnter(t) \/ UndoExit(t) \/ UndoFlag(t) \/ Close(t)
    \/ Settle(t) \/ CarryCountExit(t) \/ Settled(t) \/ Break(t) \/ Mark(t) \/ TurnBroken(t)
    \/ Judge(t) \/ CarryInitExit(t) \/ Take(t) \/ Open(t) \/ CarryLowerFlag(t) \/ Ready(t)
    \/ CarryResetEnter(t) \/ CarryResetExit(t) \/ CarryRaiseFlag(t)
    \/ Owe(t) \/ Complete(t) \/ Turn(t)
    \/ Claim(t) \/ Mend(t) \/ Vacate(t) \/ Bury(t)

\* A step of a foreign party.
ForeignStep(p) ==
    /\ p \in M .. N-1
    /\ Foreign!Step(p)
    /\ UNCHANGED <<header, slot, thread, seen>>

Happens(p) == Die(p) \/ GiveUp(p) \/ Join(p) \/ Reset(p) \/ Leave(p)

Steps == \/ \E t \in Threads : Step(t)
         \/ \E p \in M .. N-1 : ForeignStep(p)
Next  == Steps \/ \E p \in Members : Happens(p)

Spec == Init /\ [][Next]_vars

\* Each thread keeps taking steps, and from some time on nothing more happens to
\* the members.
Fairness == /\ \A t \in Threads : WF_vars(Step(t))
            /\ \A p \in M .. N-1 : WF_vars(ForeignStep(p))
LiveSpec == Spec /\ Fairness /\ <>[][Steps]_vars

-----------------------------------------------------------------------------
(* The properties.                                                          *)

TypeOK ==
    /\ {enter, exit, flag, turn, completed, owed} \subseteq Int
    /\ lock \in Parties \union {None} \union {Holder(t) : t \in Threads}
    /\ slot \in [Members -> [owner : {"vacant", "live", "died"}, round : Nat,
                             arrival : {"outside", "arrived", "taken"}, broken : Nat]]
    /\ journal.phase \in 0 .. 2
    /\ broken \in BOOLEAN

WordsInRange == enter \in 0 .. N /\ exit \in -1 .. N /\ flag \in {0, 1}

\* Of one round, no call returns nil and another one the error.
AllOrNone == committed \cap told = {}

\* A call returns nil only from a round that was committed.
NilMeansCommitted == completed = 0 \/ completed \in committed

\* No foreign party completes a round that is not committed.
NoEarlyExit == \A p \in M .. N-1 : rounds[p] <= done

Holding == { "Repair", "Reopen", "UndoEnter", "UndoExit", "UndoFlag", "Close", "Settle",
             "CarryCountExit", "Settled", "Break", "Mark", "TurnBroken", "Judge", "CarryInitExit",
             "Take", "Open", "CarryLowerFlag", "Ready", "CarryResetEnter", "CarryResetExit",
             "CarryRaiseFlag", "Owe", "Complete", "Turn", "Claim", "Mend", "Vacate", "Bury",
             "UnlockRound" }

LockExclusive == Cardinality({t \in Threads : thread[t].role # "absent" /\ thread[t].at \in Holding})
                 + Cardinality({p \in M .. N-1 : pc[p] \in Foreign!Holding}) <= 1

\* No more rounds are broken than members have died.
EachDeathOnce == turn - 1 <= done + died

Quiet == /\ \A t \in Threads : thread[t].role = "absent" \/ thread[t].at \in {"Begin", "Watch"}
         /\ \A p \in M .. N-1 : pc[p] = "Call"
         /\ ~DeadUnmarked

Quiescent == Quiet => /\ journal.phase = 0 /\ enter = 0
                      /\ exit \in {NotSet, N} \/ (owed > 0 /\ exit <= ForeignParties)
                      /\ (broken => SomeDead \/ \A p \in Members : slot[p].owner = "vacant")

\* A member is outside and does not call again, or waits for one that has left.
Resting(p) == LET t == 2*p IN
    \/ thread[t].role = "absent"
    \/ thread[t].at = "Begin" /\ ~ENABLED Begin(t)
    \/ /\ thread[t].at = "Gather" /\ thread[t].asleep /\ thread[t].round = turn
       /\ \E q \in Members : slot[q].owner = "vacant"

\* Nobody hangs while a member is alive: its call returns.
NoHang == \A p \in Members :
              thread[2*p].role # "absent" /\ ~Resting(p) ~> Resting(p)

\* A process can take a step, or all have made all their calls.  A foreign party
\* may wait while a member is missing.
Whole == \A p \in Members : thread[2*p].role = "caller" /\ slot[p].owner = "live"
NoDeadlock ==
    \/ ENABLED Steps
    \/ /\ \A p \in Members : Resting(p)
       /\ (Whole /\ ~broken => \A p \in M .. N-1 : Foreign!Resting(p))

-----------------------------------------------------------------------------
(* Refinement: a member is in the round from its arrival on, and leaves it   *)
(* when the round is committed.                                              *)

=============================================================================
