------------------------------- MODULE Replay -------------------------------
(* Are given traces behaviours of SharedBarrier?  Schedule holds them:        *)
(* Traces is a sequence of traces, and a trace one of steps                   *)
(* <<process, label, enter, exit, flag>>, with the words after the step.      *)
(* A label and a process leave no choice, so TLC finds as many states as the  *)
(* traces have steps, and one more for each trace, if and only if they are.   *)
EXTENDS SharedBarrier, Sequences, Schedule

VARIABLES which, at  \* which trace, and how many of its steps are taken

Take(p, label) ==
    CASE label = "Call"             -> Call(p)
      [] label = "LockInit"         -> LockInit(p)
      [] label = "InitExit"         -> InitExit(p)
      [] label = "UnlockInit"       -> UnlockInit(p)
      [] label = "LockEnter"        -> LockEnter(p)
      [] label = "TestFirst"        -> TestFirst(p)
      [] label = "UnlockFirst"      -> UnlockFirst(p)
      [] label = "AwaitDrain"       -> AwaitDrain(p)
      [] label = "LockFirst"        -> LockFirst(p)
      [] label = "LowerFlag"        -> LowerFlag(p)
      [] label = "CountEnter"       -> CountEnter(p)
      [] label = "ResetEnter"       -> ResetEnter(p)
      [] label = "ResetExit"        -> ResetExit(p)
      [] label = "RaiseFlag"        -> RaiseFlag(p)
      [] label = "UnlockEnter"      -> UnlockEnter(p)
      [] label = "AwaitFlag"        -> AwaitFlag(p)
      [] label = "LockExit"         -> LockExit(p)
      [] label = "CountExit"        -> CountExit(p)
      [] label = "ClearExit"        -> ClearExit(p)
      [] label = "UnlockExit"       -> UnlockExit(p)
      [] label = "GiveUp"           -> GiveUp(p)
      [] label = "LockWithdraw"     -> LockWithdraw(p)
      [] label = "TestFlag"         -> TestFlag(p)
      [] label = "UncountEnter"     -> UncountEnter(p)
      [] label = "UnlockWithdraw"   -> UnlockWithdraw(p)
      [] label = "MakeEnter"        -> MakeEnter(p)
      [] label = "MakeExit"         -> MakeExit(p)
      [] label = "MakeFlag"         -> MakeFlag(p)
      [] label = "Die"              -> Die(p)
      [] label = "Abandon"          -> Abandon(p)
      [] label = "Relink"           -> Relink

ReplayInit == Init /\ which \in 1 .. Len(Traces) /\ at = 0

ReplayNext ==
    /\ at < Len(Traces[which])
    /\ LET step == Traces[which][at + 1]
       IN  Take(step[1], step[2]) /\ <<enter, exit, flag>>' = <<step[3], step[4], step[5]>>
    /\ at' = at + 1
    /\ UNCHANGED which

ReplaySpec == ReplayInit /\ [][ReplayNext]_<<vars, which, at>>
=============================================================================
