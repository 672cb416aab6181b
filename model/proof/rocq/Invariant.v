(** The invariant of PROOF.md, about named processes, and that every move keeps
    it. *)

From Coq Require Import ZArith List Lia Bool Arith.
From SharedBarrier Require Import Table Protocol Count.
Open Scope nat_scope.

(** [rows H tac] proves a goal about move m, given [H : In m table], with
    [tac] for each move of the table. If that fails, it names the move. *)
Ltac row H tac :=
  lazymatch type of H with
  | ?s = ?m => subst m; first [ solve [tac] | fail 1 "no proof for" s ]
  end.
Ltac each H tac :=
  lazymatch type of H with
  | _ \/ _ => destruct H as [H | H]; [ row H tac | each H tac ]
  | False => destruct H
  end.
Ltac rows H tac := unfold table in H; cbn [In] in H; each H tac.

(** Boolean facts as propositions. *)
Ltac facts := repeat match goal with
  | H : (_ =? _)%Z = true |- _ => apply Z.eqb_eq in H
  | H : (_ =? _)%Z = false |- _ => apply Z.eqb_neq in H
  | H : negb _ = true |- _ => apply negb_true_iff in H
  | H : (_ && _)%bool = true |- _ => apply andb_true_iff in H; destruct H
  | H : (_ || _)%bool = true |- _ => apply orb_true_iff in H; destruct H
  end.

(** The facts about one move, in the simplest form: from an implication
    l = n -> false = true, l <> n. *)
Ltac prepare :=
  cbn in *; facts; repeat match goal with H : _ /\ _ |- _ => destruct H end; subst;
  try discriminate;
  repeat match goal with
  | H : ?l = ?n -> false = true |- _ =>
      assert (l <> n) by (intros E; discriminate (H E)); clear H
  end.

Ltac trivially :=
  intros; cbn in *;
  first [ assumption | discriminate | lia | tauto | intuition (first [congruence | lia]) ].

Section Invariant.

Variable n : nat.

(** ** The lock *)

(** The holder is the one process at a step that holds the lock. *)
Record Locked (s : state) : Prop := {
  holder_holds : forall h, holder s = Some h -> h < n /\ holds (pc (procs s h)) = true;
  holds_alone : forall p, p < n -> holds (pc (procs s p)) = true -> holder s = Some p }.

(** An acquire leads to a step that holds the lock, a release away from one, and
    other moves neither. *)
Definition keeps_lock (m : move) : bool :=
  match lock m with
  | Outside => negb (holds (from m)) && negb (holds (to m))
  | Acquire => negb (holds (from m)) && holds (to m)
  | Held => holds (from m) && holds (to m)
  | Release => holds (from m) && negb (holds (to m))
  end.

Lemma all_keep_lock : forall m, In m table -> keeps_lock m = true.
Proof. intros m H. rows H ltac:(reflexivity). Qed.

(** The step of the process that holds the lock, and [Call] if none does. *)
Definition busy (s : state) : step :=
  match holder s with Some h => pc (procs s h) | None => Call end.

Lemma after_self : forall p m s, procs (after n p m s) p = moved m (procs s p).
Proof. intros. simpl. rewrite Nat.eqb_refl. reflexivity. Qed.

Lemma after_other : forall p m s q, q <> p -> procs (after n p m s) q = procs s q.
Proof. intros p m s q H. simpl. destruct (Nat.eqb_spec q p); [contradiction | reflexivity]. Qed.

(** What a move does with the lock, if only the holder holds it. *)
Lemma lock_case : forall s p m, Locked s -> enabled n p m s ->
  match lock m with
  | Outside => holder s <> Some p /\
      holder (after n p m s) = holder s /\ busy (after n p m s) = busy s
  | Acquire => holder s = None /\ busy s = Call /\
      holder (after n p m s) = Some p /\ busy (after n p m s) = to m
  | Held => holder s = Some p /\ busy s = from m /\
      holder (after n p m s) = Some p /\ busy (after n p m s) = to m
  | Release => holder s = Some p /\ busy s = from m /\
      holder (after n p m s) = None /\ busy (after n p m s) = Call
  end.
Proof.
  intros s p m HL (Hp & Hin & Hpc & _ & Hfree).
  pose proof (all_keep_lock m Hin) as Hk. unfold keeps_lock in Hk.
  unfold busy. destruct (lock m) eqn:Hm; facts.
  - assert (Hne : holder s <> Some p).
    { intros E. apply (holder_holds _ HL) in E. rewrite Hpc in E. destruct E. congruence. }
    split; [exact Hne|]. unfold after, lock_after. rewrite Hm. simpl.
    destruct (holder s) as [h|] eqn:Hh; [|split; reflexivity].
    split; [reflexivity|]. destruct (Nat.eqb_spec h p); [congruence | reflexivity].
  - specialize (Hfree eq_refl). unfold after, lock_after. rewrite Hm, Hfree. simpl.
    rewrite Nat.eqb_refl. auto.
  - assert (Hh : holder s = Some p) by (apply (holds_alone _ HL); [assumption | congruence]).
    unfold after, lock_after. rewrite Hm, Hh. simpl. rewrite Nat.eqb_refl. auto.
  - assert (Hh : holder s = Some p) by (apply (holds_alone _ HL); [assumption | congruence]).
    unfold after, lock_after. rewrite Hm, Hh. simpl. rewrite Nat.eqb_refl. auto.
Qed.

Lemma locked_initial : Locked initial.
Proof. split; simpl; intros; discriminate. Qed.

Lemma locked_after : forall s p m, Locked s -> enabled n p m s -> Locked (after n p m s).
Proof.
  intros s p m HL He. pose proof (lock_case s p m HL He) as Hc.
  destruct He as (Hp & Hin & Hpc & _ & _).
  pose proof (all_keep_lock m Hin) as Hk. unfold keeps_lock in Hk.
  destruct HL as [Hh Ha].
  split; intros q; destruct (Nat.eq_dec q p) as [->|Hq];
    rewrite ?after_self, ?(after_other p m s q Hq); cbn [moved pc];
    destruct (lock m); facts; decompose [and] Hc; intros E;
    try (split; congruence); try congruence;
    try (apply Hh; congruence);
    intros E'; rewrite (Ha q E E') in *; congruence.
Qed.

Lemma alone : forall s p q, Locked s -> holder s = Some p -> q < n -> q <> p ->
  holds (pc (procs s q)) = false.
Proof.
  intros s p q HL Hh Hq Hne. destruct (holds (pc (procs s q))) eqn:E; [|reflexivity].
  rewrite (holds_alone _ HL q Hq E) in Hh. congruence.
Qed.

(** ** The phases *)

(** While a round gathers: has counted itself in. *)
Definition counted (a : step) : bool :=
  match a with
  | ResetEnter | ResetExit | RaiseFlag | UnlockEnter | AwaitFlag
  | LockWithdraw | TestFlag | UncountEnter => true
  | _ => false
  end.

(** While a round gathers: has counted itself in, or is about to. *)
Definition lowered (a : step) : bool :=
  match a with CountEnter => true | _ => counted a end.

(** On its way out. *)
Definition leaving (a : step) : bool :=
  match a with
  | UnlockEnter | AwaitFlag | LockExit | CountExit | ClearExit | UnlockExit
  | LockWithdraw | TestFlag => true
  | _ => false
  end.

(** Has counted itself out, and not returned. *)
Definition out (a : step) : bool :=
  match a with ClearExit | UnlockExit => true | _ => false end.

(** Outside, or in the next round no further than LockFirst. *)
Definition waiting (a : step) : bool :=
  match a with
  | Call | LockInit | InitExit | UnlockInit | LockEnter | TestFirst | UnlockFirst
  | AwaitDrain | LockFirst => true
  | _ => false
  end.

(** About to set exit, if it is -1. *)
Definition sets_exit (a : step) : bool :=
  match a with Call | LockInit | InitExit => true | _ => false end.

(** Not possible while a round gathers. *)
Definition leaves (a : step) : bool :=
  match a with LockExit | CountExit | ClearExit | UnlockExit => true | _ => false end.

(** How many have counted themselves in, while a round gathers. *)
Definition entered (s : state) : nat := count (fun p => counted (pc (procs s p))) n.

(** While round r + 1 drains, a process has left it if it has counted itself
    out. *)
Definition has_left (r : nat) (x : process) : bool :=
  negb (completed x =? r) || out (pc x).

Definition left_it (r : nat) (s : state) : nat := count (fun p => has_left r (procs s p)) n.

(** The words while a round gathers: b is the step of the holder of the lock, c
    the number of processes that are counted. *)
Definition gathered (b : step) (c : nat) (w : words) : Prop :=
  let N := Z.of_nat n in
  match b with
  | ResetEnter => enter w = Z.of_nat c /\ c = n /\ (exit w = (-1)%Z \/ exit w = N)
  | ResetExit => enter w = 0%Z /\ c = n /\ (exit w = (-1)%Z \/ exit w = N)
  | RaiseFlag => enter w = 0%Z /\ c = n /\ exit w = 0%Z
  | _ => enter w = Z.of_nat c /\ c < n /\ (exit w = (-1)%Z \/ exit w = N)
  end.

(** Round r + 1 gathers: not all n have entered it, and no process has left. *)
Record Gathering (r : nat) (s : state) : Prop := {
  none_ahead : forall p, p < n -> completed (procs s p) = r;
  none_leaves : forall p, p < n -> leaves (pc (procs s p)) = false;
  words_gathered : gathered (busy s) (entered s) (shared s);
  flag_in_range : flag (shared s) = 0%Z \/ flag (shared s) = 1%Z;
  flag_down : forall p, p < n -> lowered (pc (procs s p)) = true -> flag (shared s) = 0%Z;
  init_exit_comes : exit (shared s) = (-1)%Z ->
    exists p, p < n /\ sets_exit (pc (procs s p)) = true }.

(** Round r + 1 drains: all n have entered it, and not all have left. *)
Record Draining (r : nat) (s : state) : Prop := {
  places : forall p, p < n ->
    completed (procs s p) = r /\ leaving (pc (procs s p)) = true \/
    completed (procs s p) = S r /\ waiting (pc (procs s p)) = true;
  some_behind : exists p, p < n /\ completed (procs s p) = r;
  flag_up : flag (shared s) = 1%Z;
  enter_zero : enter (shared s) = 0%Z;
  exit_counts : exit (shared s) = Z.of_nat (left_it r s) \/
    left_it r s = n /\ exit (shared s) = (-1)%Z;
  last_clears : busy s = ClearExit -> exit (shared s) = Z.of_nat n;
  drained_first : forall p, p < n -> completed (procs s p) = S r ->
    pc (procs s p) = LockFirst -> left_it r s = n }.

End Invariant.
