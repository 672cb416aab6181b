(** Every move keeps the invariant: from a state in which a round drains. *)

From Coq Require Import ZArith List Lia Bool Arith.
From SharedBarrier Require Import Table Protocol Count Invariant.
Open Scope nat_scope.

Section Draining.

Variable n : nat.

Lemma not_behind : forall r, (S r =? r) = false.
Proof. intros. apply Nat.eqb_neq. lia. Qed.

Lemma left_after : forall r s p m, enabled n p m s ->
  left_it n r (after n p m s) + one (has_left r (procs s p)) =
  left_it n r s + one (has_left r (moved m (procs s p))).
Proof.
  intros r s p m (Hp & _). unfold left_it. rewrite <- (after_self n p m s).
  apply (count_update (fun q => has_left r (procs s q))
    (fun q => has_left r (procs (after n p m s) q)) n p Hp).
  intros q _ Hq. rewrite (after_other n p m s q Hq). reflexivity.
Qed.

(** Every process is outside, or no further than LockFirst. *)
Definition all_wait (s : state) : Prop := forall p, p < n -> waiting (pc (procs s p)) = true.

(** If all have left, the last one behind holds the lock. *)
Lemma last_holds : forall r s, Locked n s -> Draining n r s -> left_it n r s = n ->
  out (busy s) = true.
Proof.
  intros r s HL HD Hn. destruct (some_behind _ _ _ HD) as (p & Hp & Hr).
  pose proof (count_all _ n p Hn Hp) as H. cbn beta in H. unfold has_left in H.
  rewrite Hr, Nat.eqb_refl in H. cbn in H.
  assert (Hh : holds (pc (procs s p)) = true) by (destruct (pc (procs s p)); auto; discriminate).
  unfold busy. rewrite (holds_alone _ _ HL p Hp Hh). exact H.
Qed.

(** The number of calls that a process has completed after move m. *)
Definition calls (m : move) (k : nat) : nat := match sort m with Completes => S k | _ => k end.

(** Move m of a process that has completed k calls goes on to drain round
    r + 1, or ends it: l processes have left before, l' afterwards. *)
Definition drains_on (r : nat) (m : move) (k : nat) (w : words) (b : step) (l l' : nat) : Prop :=
  let w' := writes m (Z.of_nat n) w in
  (calls m k = r /\ leaving (to m) = true \/ calls m k = S r /\ waiting (to m) = true) /\
  (calls m k = r \/ k = S r \/ to m = Call /\ b = Call) /\
  flag w' = 1%Z /\ enter w' = 0%Z /\
  (exit w' = Z.of_nat l' \/ l' = n /\ exit w' = (-1)%Z) /\
  (b = ClearExit -> exit w' = Z.of_nat n) /\
  (calls m k = S r -> to m = LockFirst -> l' = n) /\ l <= l'.

Lemma drains_on_sound : forall r s p m, Draining n r s -> enabled n p m s ->
  drains_on r m (completed (procs s p)) (shared s) (busy (after n p m s))
    (left_it n r s) (left_it n r (after n p m s)) ->
  Draining n r (after n p m s) \/ Gathering n (S r) (after n p m s) /\ all_wait (after n p m s).
Proof.
  intros r s p m HD (Hp & _ & Hpc & _) (Hplace & Hlast & Hf & He & Hx & Hc & Hd & Hl).
  cbn beta zeta in Hf, He, Hx, Hc.
  change (writes m (Z.of_nat n) (shared s)) with (shared (after n p m s)) in *.
  assert (Hself : completed (procs (after n p m s) p) = calls m (completed (procs s p)) /\
    pc (procs (after n p m s) p) = to m) by (rewrite after_self; auto).
  destruct Hself as [Hself Hto].
  assert (Hplaces : forall q, q < n ->
    completed (procs (after n p m s) q) = r /\ leaving (pc (procs (after n p m s) q)) = true \/
    completed (procs (after n p m s) q) = S r /\ waiting (pc (procs (after n p m s) q)) = true).
  { intros q Hq. destruct (Nat.eq_dec q p) as [->|Hne].
    - rewrite Hself, Hto. exact Hplace.
    - rewrite (after_other n p m s q Hne). apply (places _ _ _ HD q Hq). }
  destruct (some_or_none (fun q => completed (procs (after n p m s) q) =? r) n)
    as [(q & Hq & Hr)|Hnone].
  - left. apply Nat.eqb_eq in Hr. split; auto.
    + exists q. auto.
    + intros q' Hq'. destruct (Nat.eq_dec q' p) as [->|Hne].
      * rewrite Hself, Hto. exact Hd.
      * rewrite (after_other n p m s q' Hne). intros E E'.
        pose proof (drained_first _ _ _ HD q' Hq' E E').
        pose proof (count_most (fun q => has_left r (procs (after n p m s) q)) n).
        unfold left_it in *. lia.
  - right. enough (HG : Gathering n (S r) (after n p m s)).
    { split; [assumption|]. intros q Hq. destruct (Hplaces q Hq) as [[E _]|[_ E]]; [|assumption].
      rewrite (none_ahead _ _ _ HG q Hq) in E. lia. }
    assert (Hahead : forall q, q < n -> completed (procs (after n p m s) q) = S r /\
      waiting (pc (procs (after n p m s) q)) = true).
    { intros q Hq. specialize (Hnone q Hq). apply Nat.eqb_neq in Hnone.
      destruct (Hplaces q Hq) as [[? _]|?]; [contradiction | assumption]. }
    assert (Hcall : to m = Call /\ busy (after n p m s) = Call).
    { destruct Hlast as [E|[E|E]]; [| |exact E].
      - destruct (Hahead p Hp). lia.
      - destruct (some_behind _ _ _ HD) as (q & Hq & Hr).
        destruct (Nat.eq_dec q p) as [->|Hne]; [lia|].
        destruct (Hahead q Hq) as [E' _]. rewrite (after_other n p m s q Hne) in E'. lia. }
    destruct Hcall as [Ht Hb].
    assert (Hn : left_it n r (after n p m s) = n).
    { apply count_every. intros q Hq. destruct (Hahead q Hq) as [E _].
      unfold has_left. rewrite E, not_behind. reflexivity. }
    assert (H0 : entered n (after n p m s) = 0).
    { apply count_none. intros q Hq. destruct (Hahead q Hq) as [_ E].
      destruct (pc (procs (after n p m s) q)); auto; discriminate. }
    split.
    + intros q Hq. apply (Hahead q Hq).
    + intros q Hq. destruct (Hahead q Hq) as [_ E].
      destruct (pc (procs (after n p m s) q)); auto; discriminate.
    + rewrite Hb, H0. cbn [gathered]. rewrite He. repeat split; [lia|].
      destruct Hx as [->|[_ ->]]; [right; congruence | left; reflexivity].
    + right. exact Hf.
    + intros q Hq E'. destruct (Hahead q Hq) as [_ E].
      destruct (pc (procs (after n p m s) q)); discriminate.
    + intros _. exists p. rewrite Hto, Ht. auto.
Qed.

Lemma draining_after : forall r s p m, Locked n s -> Draining n r s -> enabled n p m s ->
  Draining n r (after n p m s) \/ Gathering n (S r) (after n p m s) /\ all_wait (after n p m s).
Proof.
  intros r s p m HL HD He. apply drains_on_sound; [assumption .. |].
  pose proof (lock_case n s p m HL He) as Hl.
  pose proof (left_after r s p m He) as Hc.
  pose proof (last_holds r s HL HD) as Hh.
  pose proof (count_most (fun q => has_left r (procs s q)) n) as Hmost.
  pose proof (flag_up _ _ _ HD) as Hf. pose proof (enter_zero _ _ _ HD) as He0.
  pose proof (exit_counts _ _ _ HD) as Hx. pose proof (last_clears _ _ _ HD) as Hlc.
  destruct He as (Hp & Hin & Hpc & Hw & _).
  pose proof (places _ _ _ HD p Hp) as Hpl.
  pose proof (drained_first _ _ _ HD p Hp) as Hdf.
  assert (Hless : has_left r (procs s p) = false -> left_it n r s < n).
  { intros E. apply (count_less _ n p Hp E). }
  change (count (fun q => has_left r (procs s q)) n) with (left_it n r s) in Hmost.
  unfold moved in Hc. unfold has_left in Hc, Hless. cbn [completed pc] in Hc.
  change (match sort m with
    | Completes => S (completed (procs s p)) | _ => completed (procs s p)
    end) with (calls m (completed (procs s p))) in Hc.
  rewrite Hpc in *. clear HL HD Hpc.
  generalize dependent (busy (after n p m s)). intros b' Hl.
  generalize dependent (left_it n r (after n p m s)). intros l' Hc.
  generalize dependent (holder (after n p m s)). intros h' Hl.
  generalize dependent (busy s). generalize dependent (left_it n r s).
  generalize dependent (holder s). generalize dependent (completed (procs s p)).
  generalize dependent (shared s).
  intros w Hw Hf He0 k Hpl h l Hmost Hx Hdf Hless Hc b Hh Hlc Hl.
  unfold drains_on, calls in *.
  destruct Hpl as [[-> Hpl]|[-> Hpl]];
    rewrite ?not_behind, ?Nat.eqb_refl in *; cbn [negb orb one] in *.
  - assert (Hc' : l' + one (out (from m)) =
      l + one (match sort m with Completes => true | _ => out (to m) end)).
    { destruct (sort m); rewrite ?not_behind, ?Nat.eqb_refl in Hc; exact Hc. }
    clear Hc. rows Hin ltac:(prepare; repeat split; trivially).
  - assert (Hc' : l' = l).
    { rewrite (proj2 (Nat.eqb_neq _ _)) in Hc by (destruct (sort m); lia). cbn in Hc. lia. }
    clear Hc. rows Hin ltac:(prepare; repeat split; trivially).
Qed.

End Draining.
