------------------------------- MODULE Replay -------------------------------
(* Are given traces behaviours of MCSharedBarrier?  Traces of module Schedule *)
(* is a sequence of traces, and a trace is a sequence of steps                *)
(* <<process, label, enter, exit, flag>>, with the words after the step.      *)
(* A process and a label leave no choice.  So if the traces are behaviours,   *)
(* and only then, TLC finds as many states as they have steps, and one more   *)
(* for each trace.                                                            *)
EXTENDS MCSharedBarrier, Sequences, Schedule

VARIABLES which, at  \* the trace, and how many of its steps are taken

Take(p, label) ==
    CASE label = "GiveUp"   -> GiveUp(p)
      [] label = "Die"      -> Die(p)
      [] label = "Abandon"  -> Abandon(p)
      [] label = "Relink"   -> Relink
      [] OTHER              -> pc[p] = label /\ Step(p)

ReplayInit == MCInit /\ which \in 1 .. Len(Traces) /\ at = 0

ReplayNext ==
    /\ at < Len(Traces[which])
    /\ LET step == Traces[which][at + 1]
       IN  Take(step[1], step[2]) /\ <<enter, exit, flag>>' = <<step[3], step[4], step[5]>>
    /\ at' = at + 1
    /\ UNCHANGED which

ReplaySpec == ReplayInit /\ [][ReplayNext]_<<vars, which, at>>
=============================================================================
