---------------------------- MODULE GroupSchedule ----------------------------
(***************************************************************************)
(* What the words and the lock of a group are a run of (spec/GROUP.md,     *)
(* section 8): a second copy of SharedBarrier, in which all parties take    *)
(* its steps, one at a time.  After each step of the group it takes those   *)
(* that the table of section 8 names, and nothing else happens meanwhile.   *)
(* Then words and lock are the same in both.                                *)
(*                                                                         *)
(* A configuration replaces MayGiveUp of SharedBarrier by MembersMayGiveUp. *)
(***************************************************************************)
EXTENDS Group, Sequences

VARIABLES
    benter, bexit, bflag, block, bpc, brounds, benv,  \* the copy
    todo  \* sequence of <<p, step>>: p takes steps up to this one, or gives up

base == <<benter, bexit, bflag, block, bpc, brounds, benv>>

Base == INSTANCE SharedBarrier WITH
            enter <- benter, exit <- bexit, flag <- bflag, lock <- block,
            pc <- bpc, rounds <- brounds, env <- benv

MembersMayGiveUp(p) == p \in Members

-----------------------------------------------------------------------------

\* The members of a set, in the order of their ranks.
InOrder(set) == SelectSeq([i \in 1 .. M |-> i - 1], LAMBDA p : p \in set)

\* Each member of a set takes steps up to the given one.
Each(set, step) == LET list == InOrder(set)
                   IN  [i \in 1 .. Len(list) |-> <<list[i], step>>]

Schedule(t) ==
    CASE thread[t].at = "CarryInitExit"  -> <<<<Of(t), "LockEnter">>, <<Of(t), "GiveUp">>>>
      [] thread[t].at = "CarryRaiseFlag" -> Each(Taken, "AwaitFlag")
      [] thread[t].at = "CarryCountExit" -> Each({p \in Members : bpc[p] = "AwaitFlag"}, "Call")
      [] OTHER                           -> <<>>

BaseStep ==
    /\ todo # <<>>
    /\ LET p    == Head(todo)[1]
           goal == Head(todo)[2]
       IN  IF goal = "GiveUp"
           THEN Base!GiveUp(p) /\ todo' = Tail(todo)
           ELSE Base!Step(p) /\ todo' = IF bpc'[p] = goal THEN Tail(todo) ELSE todo
    /\ UNCHANGED vars

GroupStep ==
    /\ todo = <<>>
    /\ \/ \E t \in Threads : Step(t) /\ todo' = Schedule(t)
       \/ \E p \in M .. N-1 : ForeignStep(p) /\ todo' = <<<<p, pc'[p]>>>>
       \/ \E p \in Members : Happens(p) /\ todo' = <<>>
    /\ UNCHANGED base

ScheduleInit == Init /\ Base!Init /\ todo = <<>>
ScheduleNext == BaseStep \/ GroupStep
ScheduleSpec == ScheduleInit /\ [][ScheduleNext]_<<vars, base, todo>>

-----------------------------------------------------------------------------

\* While the journal is open and not committed its words count.
Uncommitted == journal.phase = 1 \/ (journal.phase = 2 /\ flag = 0)

Agrees ==
    todo = <<>> =>
        /\ <<benter, bexit, bflag>> =
               IF Uncommitted THEN <<journal.enter, journal.exit, journal.flag>> ELSE words
        /\ block = IF lock \in M .. N-1 THEN lock ELSE None
        /\ \A p \in M .. N-1 : bpc[p] = pc[p] /\ brounds[p] = rounds[p]

\* Each step that the schedule names can be taken.
Possible == todo # <<>> => ENABLED BaseStep

RefinesSharedBarrier == Base!Spec
RefinesBarrier       == Base!Abstract!Spec

=============================================================================
