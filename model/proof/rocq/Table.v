(** The protocol as a table of moves (sections 4 and 5 of PROTOCOL.md), and the
    numbers of its rank. Generated from the Go tables of model/proof by
    go test ./model/proof -run TestGolden_RocqTable -update *)

From Coq Require Import ZArith List Bool.
Import ListNotations.
Open Scope Z_scope.

(** A process is at the step that it takes next. *)
Inductive step :=
  | Call | LockInit | InitExit | UnlockInit | LockEnter | TestFirst
  | UnlockFirst | AwaitDrain | LockFirst | LowerFlag | CountEnter | ResetEnter
  | ResetExit | RaiseFlag | UnlockEnter | AwaitFlag | LockExit | CountExit
  | ClearExit | UnlockExit | LockWithdraw | TestFlag | UncountEnter
  | UnlockWithdraw.

(** The steps between an acquire and its release. *)
Definition holds (a : step) : bool :=
  match a with
  | InitExit | UnlockInit | TestFirst | UnlockFirst | LowerFlag | CountEnter
  | ResetEnter | ResetExit | RaiseFlag | UnlockEnter | CountExit | ClearExit
  | UnlockExit | TestFlag | UncountEnter | UnlockWithdraw => true
  | _ => false
  end.

Record words := Words { enter : Z; exit : Z; flag : Z }.

Definition initial_words := Words 0 (-1) 1.

(** What a move does with the lock: nothing outside; it waits until the lock is
    free and takes it; nothing while the process holds it; it frees the lock. *)
Inductive use := Outside | Acquire | Held | Release.

(** A step, a step that completes a call, or the event that a call gives up. *)
Inductive kind := Step | Completes | GivesUp.

(** A move takes one process from a step to another, atomically. It is possible
    when the words, and the party count n, satisfy a condition. It writes new
    words. *)
Record move := Move {
  from : step;
  lock : use;
  when : Z -> words -> bool;
  writes : Z -> words -> words;
  to : step;
  sort : kind }.

Local Notation always := (fun _ _ => true).
Local Notation nothing := (fun _ w => w).

Definition move_Call := Move Call Outside always nothing LockInit Step.
Definition move_LockInit := Move LockInit Acquire always nothing InitExit Step.
Definition move_InitExit_set := Move InitExit Held
  (fun n w => exit w =? -1) (fun n w => Words (enter w) n (flag w)) UnlockInit Step.
Definition move_InitExit_keep := Move InitExit Held
  (fun n w => negb (exit w =? -1)) nothing UnlockInit Step.
Definition move_UnlockInit := Move UnlockInit Release always nothing LockEnter Step.
Definition move_LockEnter := Move LockEnter Acquire always nothing TestFirst Step.
Definition move_TestFirst_first := Move TestFirst Held
  (fun n w => enter w =? 0) nothing UnlockFirst Step.
Definition move_TestFirst_later := Move TestFirst Held
  (fun n w => negb (enter w =? 0)) nothing CountEnter Step.
Definition move_UnlockFirst := Move UnlockFirst Release always nothing AwaitDrain Step.
Definition move_AwaitDrain := Move AwaitDrain Outside
  (fun n w => exit w =? n) nothing LockFirst Step.
Definition move_LockFirst := Move LockFirst Acquire always nothing LowerFlag Step.
Definition move_LowerFlag := Move LowerFlag Held
  always (fun n w => Words (enter w) (exit w) 0) CountEnter Step.
Definition move_CountEnter_last := Move CountEnter Held
  (fun n w => enter w + 1 =? n) (fun n w => Words (enter w + 1) (exit w) (flag w)) ResetEnter Step.
Definition move_CountEnter_more := Move CountEnter Held
  (fun n w => negb (enter w + 1 =? n))
  (fun n w => Words (enter w + 1) (exit w) (flag w)) UnlockEnter Step.
Definition move_ResetEnter := Move ResetEnter Held
  always (fun n w => Words 0 (exit w) (flag w)) ResetExit Step.
Definition move_ResetExit := Move ResetExit Held
  always (fun n w => Words (enter w) 0 (flag w)) RaiseFlag Step.
Definition move_RaiseFlag := Move RaiseFlag Held
  always (fun n w => Words (enter w) (exit w) 1) UnlockEnter Step.
Definition move_UnlockEnter := Move UnlockEnter Release always nothing AwaitFlag Step.
Definition move_AwaitFlag := Move AwaitFlag Outside
  (fun n w => negb (flag w =? 0)) nothing LockExit Step.
Definition move_LockExit := Move LockExit Acquire always nothing CountExit Step.
Definition move_CountExit_last := Move CountExit Held
  (fun n w => exit w + 1 =? n) (fun n w => Words (enter w) (exit w + 1) (flag w)) ClearExit Step.
Definition move_CountExit_more := Move CountExit Held
  (fun n w => negb (exit w + 1 =? n))
  (fun n w => Words (enter w) (exit w + 1) (flag w)) UnlockExit Step.
Definition move_ClearExit := Move ClearExit Held
  always (fun n w => Words (enter w) (-1) (flag w)) UnlockExit Step.
Definition move_UnlockExit := Move UnlockExit Release always nothing Call Completes.
Definition move_LockWithdraw := Move LockWithdraw Acquire always nothing TestFlag Step.
Definition move_TestFlag_up := Move TestFlag Held
  (fun n w => negb (flag w =? 0)) nothing CountExit Step.
Definition move_TestFlag_down := Move TestFlag Held
  (fun n w => flag w =? 0) nothing UncountEnter Step.
Definition move_UncountEnter := Move UncountEnter Held
  always (fun n w => Words (enter w - 1) (exit w) (flag w)) UnlockWithdraw Step.
Definition move_UnlockWithdraw := Move UnlockWithdraw Release always nothing Call Step.
Definition move_GiveUp_LockInit := Move LockInit Outside always nothing Call GivesUp.
Definition move_GiveUp_LockEnter := Move LockEnter Outside always nothing Call GivesUp.
Definition move_GiveUp_AwaitDrain := Move AwaitDrain Outside always nothing Call GivesUp.
Definition move_GiveUp_LockFirst := Move LockFirst Outside always nothing Call GivesUp.
Definition move_GiveUp_AwaitFlag := Move AwaitFlag Outside always nothing LockWithdraw GivesUp.

Definition table : list move := [
  move_Call; move_LockInit; move_InitExit_set; move_InitExit_keep;
  move_UnlockInit; move_LockEnter; move_TestFirst_first; move_TestFirst_later;
  move_UnlockFirst; move_AwaitDrain; move_LockFirst; move_LowerFlag;
  move_CountEnter_last; move_CountEnter_more; move_ResetEnter; move_ResetExit;
  move_RaiseFlag; move_UnlockEnter; move_AwaitFlag; move_LockExit;
  move_CountExit_last; move_CountExit_more; move_ClearExit; move_UnlockExit;
  move_LockWithdraw; move_TestFlag_up; move_TestFlag_down; move_UncountEnter;
  move_UnlockWithdraw; move_GiveUp_LockInit; move_GiveUp_LockEnter;
  move_GiveUp_AwaitDrain; move_GiveUp_LockFirst; move_GiveUp_AwaitFlag ].

(** ** The rank *)

(** The weight of a process: behind if no process has completed fewer calls, or
    ahead. *)
Definition weight (ahead : bool) (a : step) : nat :=
  match ahead, a with
  | false, Call => 24
  | false, LockInit => 23
  | false, InitExit => 22
  | false, UnlockInit => 21
  | false, LockEnter => 20
  | false, TestFirst => 19
  | false, UnlockFirst => 18
  | false, AwaitDrain => 17
  | false, LockFirst => 16
  | false, LowerFlag => 15
  | false, CountEnter => 14
  | false, ResetEnter => 13
  | false, ResetExit => 12
  | false, RaiseFlag => 11
  | false, UnlockEnter => 13
  | false, AwaitFlag => 12
  | false, LockExit => 11
  | false, CountExit => 10
  | false, ClearExit => 9
  | false, UnlockExit => 9
  | false, LockWithdraw => 28
  | false, TestFlag => 27
  | false, UncountEnter => 26
  | false, UnlockWithdraw => 25
  | true, Call => 8
  | true, LockInit => 7
  | true, InitExit => 6
  | true, UnlockInit => 5
  | true, LockEnter => 4
  | true, TestFirst => 3
  | true, UnlockFirst => 2
  | true, AwaitDrain => 1
  | _, _ => 0
  end.

(** What the stage adds: while a round gathers, and until exit is cleared. *)
Definition adds_gathering : nat := 4.
Definition adds_draining : nat := 1.

(** The steps of a round in which no call gives up, and from any state to the
    end of its round. *)
Definition steps_of_round (n : nat) : nat := 24 * n - 4.
Definition steps_to_end (n : nat) : nat := 28 * n - 7.

(** What a call that gives up adds to the rank. *)
Definition adds_give_up : nat := 16.
