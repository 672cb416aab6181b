(** Every move keeps the invariant: from a state in which a round gathers. *)

From Coq Require Import ZArith List Lia Bool Arith.
From SharedBarrier Require Import Table Protocol Count Invariant.
Open Scope nat_scope.

Section Gathering.

Variable n : nat.

Lemma gathering_initial : 1 <= n -> Gathering n 0 initial.
Proof.
  intros Hn.
  assert (E : entered n initial = 0) by (apply count_none; reflexivity).
  split; simpl; intros; auto; try discriminate.
  - rewrite E. lia.
  - exists 0. auto.
Qed.

Lemma entered_after : forall s p m, enabled n p m s ->
  entered n (after n p m s) + one (counted (from m)) = entered n s + one (counted (to m)).
Proof.
  intros s p m (Hp & _ & Hpc & _). unfold entered. rewrite <- Hpc.
  change (to m) with (pc (moved m (procs s p))). rewrite <- (after_self n p m s).
  apply (count_update (fun q => counted (pc (procs s q)))
    (fun q => counted (pc (procs (after n p m s) q))) n p Hp).
  intros q _ Hq. rewrite (after_other n p m s q Hq). reflexivity.
Qed.

(** Move m from words w leads to words, a holder at step b and c counted
    processes with which a round goes on to gather. *)
Definition gathers (m : move) (w : words) (b : step) (c : nat) : Prop :=
  let w' := writes m (Z.of_nat n) w in
  sort m <> Completes /\ leaves (to m) = false /\ gathered n b c w' /\
  (flag w' = 0%Z \/
    flag w' = flag w /\ (lowered (to m) = true -> lowered (from m) = true)) /\
  (exit w' = (-1)%Z ->
    sets_exit (to m) = true \/ exit w = (-1)%Z /\ sets_exit (from m) = false).

Lemma gathers_sound : forall r s p m, Gathering n r s -> enabled n p m s ->
  gathers m (shared s) (busy (after n p m s)) (entered n (after n p m s)) ->
  Gathering n r (after n p m s).
Proof.
  intros r s p m HG (Hp & _ & Hpc & _) (Hs & Hl & Hw & Hf & Hx).
  cbn beta zeta in Hw, Hf, Hx.
  change (writes m (Z.of_nat n) (shared s)) with (shared (after n p m s)) in *.
  split; [| | exact Hw | | |].
  - intros q Hq. destruct (Nat.eq_dec q p) as [->|Hne].
    + rewrite after_self. cbn. rewrite (none_ahead _ _ _ HG p Hp).
      destruct (sort m); congruence.
    + rewrite (after_other n p m s q Hne). apply (none_ahead _ _ _ HG q Hq).
  - intros q Hq. destruct (Nat.eq_dec q p) as [->|Hne].
    + rewrite after_self. exact Hl.
    + rewrite (after_other n p m s q Hne). apply (none_leaves _ _ _ HG q Hq).
  - destruct Hf as [->|[-> _]]; [auto | apply (flag_in_range _ _ _ HG)].
  - intros q Hq Hd. destruct Hf as [Hf|[Hf Hlow]]; [exact Hf|]. rewrite Hf.
    destruct (Nat.eq_dec q p) as [->|Hne].
    + rewrite after_self in Hd. apply (flag_down _ _ _ HG p Hp). rewrite Hpc. auto.
    + rewrite (after_other n p m s q Hne) in Hd. apply (flag_down _ _ _ HG q Hq Hd).
  - intros E. destruct (Hx E) as [Ht|[Hm Ht]].
    + exists p. rewrite after_self. auto.
    + destruct (init_exit_comes _ _ _ HG Hm) as (q & Hq & Hs').
      exists q. split; [assumption|].
      rewrite (after_other n p m s q); [assumption|]. intros ->. congruence.
Qed.

(** Move m begins to drain: all are counted, and the process that moves is the
    holder. *)
Definition drains (m : move) (w : words) (b : step) (c : nat) : Prop :=
  let w' := writes m (Z.of_nat n) w in
  sort m <> Completes /\ c = n /\
  leaving (to m) = true /\ out (to m) = false /\ b <> ClearExit /\
  flag w' = 1%Z /\ enter w' = 0%Z /\ exit w' = 0%Z.

Lemma drains_sound : forall r s p m, Locked n s -> Gathering n r s -> enabled n p m s ->
  holder s = Some p -> drains m (shared s) (busy (after n p m s)) (entered n s) ->
  Draining n r (after n p m s).
Proof.
  intros r s p m HL HG (Hp & _ & Hpc & _) Hh (Hs & Hc & Hl & Ho & Hb & Hf & He & Hx).
  cbn beta zeta in Hf, He, Hx.
  change (writes m (Z.of_nat n) (shared s)) with (shared (after n p m s)) in *.
  assert (Hall : forall q, q < n -> completed (procs (after n p m s) q) = r /\
    leaving (pc (procs (after n p m s) q)) = true /\ out (pc (procs (after n p m s) q)) = false).
  { intros q Hq. destruct (Nat.eq_dec q p) as [->|Hne].
    - rewrite after_self. cbn. rewrite (none_ahead _ _ _ HG p Hp).
      destruct (sort m); auto. congruence.
    - rewrite (after_other n p m s q Hne). split; [apply (none_ahead _ _ _ HG q Hq)|].
      pose proof (alone n s p q HL Hh Hq Hne) as Hfree.
      pose proof (count_all _ n q Hc Hq) as Hin. cbn beta in Hin.
      destruct (pc (procs s q)); try discriminate; auto. }
  assert (L : left_it n r (after n p m s) = 0).
  { apply count_none. intros q Hq. destruct (Hall q Hq) as (E & _ & Hout).
    unfold has_left. rewrite E, Hout, Nat.eqb_refl. reflexivity. }
  split; auto.
  - intros q Hq. left. destruct (Hall q Hq) as (? & ? & ?). auto.
  - exists p. split; [assumption|]. apply (Hall p Hp).
  - left. rewrite L. exact Hx.
  - intros E. contradiction.
  - intros q Hq E. destruct (Hall q Hq) as (E' & _). lia.
Qed.

Lemma some_entered : forall r s, Gathering n r s -> entered n s = 0 \/ flag (shared s) = 0%Z.
Proof.
  intros r s HG. destruct (some_or_none (fun p => counted (pc (procs s p))) n) as [(p & Hp & Hc)|H].
  - right. apply (flag_down _ _ _ HG p Hp). destruct (pc (procs s p)); auto; discriminate.
  - left. apply count_none. assumption.
Qed.

Lemma gathering_after : forall r s p m, Locked n s -> Gathering n r s -> enabled n p m s ->
  Gathering n r (after n p m s) \/ Draining n r (after n p m s).
Proof.
  intros r s p m HL HG He.
  enough (Q : gathers m (shared s) (busy (after n p m s)) (entered n (after n p m s)) \/
    holder s = Some p /\ drains m (shared s) (busy (after n p m s)) (entered n s)).
  { destruct Q as [Q|[Hh Q]].
    - left. apply gathers_sound; assumption.
    - right. apply drains_sound; assumption. }
  pose proof (lock_case n s p m HL He) as Hl.
  pose proof (entered_after s p m He) as Hc.
  destruct He as (Hp & Hin & Hpc & Hw & _).
  pose proof (none_leaves _ _ _ HG p Hp) as Hn.
  pose proof (words_gathered _ _ _ HG) as Hg.
  pose proof (flag_in_range _ _ _ HG) as Hf.
  pose proof (flag_down _ _ _ HG p Hp) as Hd.
  pose proof (some_entered _ _ HG) as He.
  rewrite Hpc in Hn, Hd. clear HL HG Hpc.
  generalize dependent (busy (after n p m s)). intros b' Hl.
  generalize dependent (entered n (after n p m s)). intros c' Hc.
  generalize dependent (holder (after n p m s)). intros h' Hl.
  generalize dependent (busy s). generalize dependent (entered n s).
  generalize dependent (holder s). generalize dependent (shared s).
  intros w Hw Hf Hd h c Hc Hz b Hg Hl.
  unfold gathers, drains.
  rows Hin ltac:(prepare; try (assert (c' = c) by lia; subst c');
    first [ left; repeat split; trivially | right; repeat split; trivially ]).
Qed.

End Gathering.
