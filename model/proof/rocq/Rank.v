(** Every step but the one that ends a round lowers the rank. *)

From Coq Require Import ZArith List Lia Bool Arith.
From SharedBarrier Require Import Table Protocol Count Invariant Gathering Draining Safety.
Open Scope nat_scope.

Section Rank.

Variable n : nat.

(** ** The rank *)

(** Whether process p has completed more calls than r. *)
Definition ahead (r : nat) (s : state) (p : nat) : bool := negb (completed (procs s p) =? r).

Definition weights (r : nat) (s : state) : nat :=
  sum (fun p => weight (ahead r s p) (pc (procs s p))) n.

(** The flag is down, or no process behind is on its way out. *)
Definition is_gathering (r : nat) (s : state) : bool :=
  (flag (shared s) =? 0)%Z ||
  (count (fun p => negb (ahead r s p) && leaving (pc (procs s p))) n =? 0).

Definition stage (r : nat) (s : state) : nat :=
  if is_gathering r s then adds_gathering
  else if (exit (shared s) =? -1)%Z then 0 else adds_draining.

(** The weights of all processes, and what the stage of the round adds. *)
Definition rank (s : state) : nat :=
  weights (rounds n s) s + stage (rounds n s) s.

(** ** The rounds that have ended *)

Lemma least_is : forall f k r, (forall p, p < k -> r <= f p) ->
  (exists p, p < k /\ f p = r) -> least f k = r.
Proof.
  induction k as [|k IH]; intros r Hall (p & Hp & E); [lia|].
  destruct k as [|k].
  - cbn. replace p with 0 in E by lia. exact E.
  - change (least f (S (S k))) with (min (least f (S k)) (f (S k))).
    assert (r <= f (S k)) by (apply Hall; lia).
    destruct (Nat.eq_dec p (S k)) as [->|Hne].
    + enough (r <= least f (S k)) by lia.
      clear - Hall. induction k as [|k IHk]; [apply Hall; lia|].
      change (least f (S (S k))) with (min (least f (S k)) (f (S k))).
      assert (r <= f (S k)) by (apply Hall; lia).
      assert (r <= least f (S k)) by (apply IHk; intros q Hq; apply Hall; lia). lia.
    + rewrite (IH r); [lia | | exists p; split; [lia | exact E]]. intros q Hq. apply Hall. lia.
Qed.

Lemma least_at_most : forall f k p, p < k -> least f k <= f p.
Proof.
  induction k as [|k IH]; intros p Hp; [lia|].
  destruct k as [|k]; [cbn; replace p with 0 by lia; lia|].
  change (least f (S (S k))) with (min (least f (S k)) (f (S k))).
  destruct (Nat.eq_dec p (S k)) as [->|Hne]; [lia|].
  assert (least f (S k) <= f p) by (apply IH; lia). lia.
Qed.

Lemma least_same : forall f g k, (forall p, p < k -> f p = g p) -> least f k = least g k.
Proof.
  induction k as [|k IH]; intros H; [reflexivity|].
  destruct k as [|k]; [apply H; lia|].
  change (min (least f (S k)) (f (S k)) = min (least g (S k)) (g (S k))).
  rewrite (H (S k)), IH; auto.
Qed.

Hypothesis some_process : 1 <= n.

Lemma rounds_gathering : forall r s, Gathering n r s -> rounds n s = r.
Proof.
  intros r s HG. apply least_is.
  - intros p Hp. rewrite (none_ahead _ _ _ HG p Hp). lia.
  - exists 0. split; [lia|]. apply (none_ahead _ _ _ HG). lia.
Qed.

Lemma rounds_draining : forall r s, Draining n r s -> rounds n s = r.
Proof.
  intros r s HD. apply least_is.
  - intros p Hp. destruct (places _ _ _ HD p Hp) as [[? _]|[? _]]; lia.
  - apply (some_behind _ _ _ HD).
Qed.

Lemma stage_gathering : forall r s, Gathering n r s -> stage r s = adds_gathering.
Proof.
  intros r s HG. unfold stage, is_gathering.
  destruct (Z.eqb_spec (flag (shared s)) 0) as [E|E]; [reflexivity|]. cbn [orb].
  rewrite (proj2 (Nat.eqb_eq _ _)); [reflexivity|].
  apply count_none. intros p Hp.
  pose proof (none_leaves _ _ _ HG p Hp). pose proof (flag_down _ _ _ HG p Hp) as Hd.
  apply andb_false_iff. right.
  destruct (pc (procs s p)); try reflexivity; try discriminate;
    exfalso; apply E; apply Hd; reflexivity.
Qed.

Lemma stage_draining : forall r s, Draining n r s ->
  stage r s = if (exit (shared s) =? -1)%Z then 0 else adds_draining.
Proof.
  intros r s HD. unfold stage, is_gathering. rewrite (flag_up _ _ _ HD). cbn [orb Z.eqb].
  destruct (some_behind _ _ _ HD) as (p & Hp & Hr).
  rewrite (proj2 (Nat.eqb_neq _ _)); [reflexivity|].
  pose proof (sum_at_least
    (fun p => one (negb (ahead r s p) && leaving (pc (procs s p)))) n p Hp) as H.
  cbn beta in H. unfold ahead in H at 1. rewrite Hr, Nat.eqb_refl in H.
  destruct (places _ _ _ HD p Hp) as [[_ Hl]|[Ha _]]; [|lia].
  rewrite Hl in H. cbn in H. unfold count. lia.
Qed.

Lemma weights_after : forall r s p m, enabled n p m s ->
  weights r (after n p m s) + weight (ahead r s p) (from m) =
  weights r s + weight (ahead r (after n p m s) p) (to m).
Proof.
  intros r s p m (Hp & _ & Hpc & _). unfold weights. rewrite <- Hpc.
  replace (to m) with (pc (procs (after n p m s) p)) by (rewrite after_self; reflexivity).
  apply (sum_update (fun q => weight (ahead r s q) (pc (procs s q)))
    (fun q => weight (ahead r (after n p m s) q) (pc (procs (after n p m s) q))) n p Hp).
  intros q _ Hq. unfold ahead. rewrite (after_other n p m s q Hq). reflexivity.
Qed.

(** ** What a move does to the rank *)

(** Move m takes the rank from a to b. *)
Definition lowers (m : move) (a b : nat) : Prop :=
  match sort m with GivesUp => b <= a + adds_give_up | _ => b < a end.

(** A call is completed only by a process on its way out, which is then outside. *)
Lemma completes_out : forall m, In m table -> sort m = Completes ->
  leaves (from m) = true /\ to m = Call.
Proof. intros m Hin Hs. rows Hin ltac:(try discriminate; split; reflexivity). Qed.

Ltac falls :=
  prepare;
  repeat match goal with |- context [(?a =? ?b)%Z] => destruct (Z.eqb_spec a b) end;
  trivially.

Lemma gathering_lowers : forall r s p m, Locked n s -> Gathering n r s -> enabled n p m s ->
  rounds n (after n p m s) = r /\ lowers m (rank s) (rank (after n p m s)).
Proof.
  intros r s p m HL HG He.
  assert (H : rounds n (after n p m s) = r /\
    (stage r (after n p m s) = adds_gathering /\
      (lowered (to m) = true -> flag (writes m (Z.of_nat n) (shared s)) = 0%Z) \/
     stage r (after n p m s) <= adds_draining)).
  { destruct (gathering_after n r s p m HL HG He) as [HG'|HD].
    - split; [exact (rounds_gathering _ _ HG')|]. left.
      split; [exact (stage_gathering _ _ HG')|]. intros Hd.
      apply (flag_down _ _ _ HG' p); [apply He|]. rewrite after_self. exact Hd.
    - split; [exact (rounds_draining _ _ HD)|]. right. rewrite (stage_draining _ _ HD).
      destruct (exit _ =? -1)%Z; unfold adds_draining; lia. }
  destruct H as [Hr Hs]. split; [assumption|]. unfold rank. rewrite Hr, (rounds_gathering _ _ HG).
  rewrite (stage_gathering _ _ HG).
  pose proof (weights_after r s p m He) as Hw. destruct He as (Hp & Hin & Hpc & _).
  pose proof (none_leaves _ _ _ HG p Hp) as Hn. rewrite Hpc in Hn.
  assert (Ha : sort m <> Completes).
  { intros E. destruct (completes_out m Hin E). congruence. }
  assert (Hb : ahead r s p = false).
  { unfold ahead. rewrite (none_ahead _ _ _ HG p Hp), Nat.eqb_refl. reflexivity. }
  assert (Hb' : ahead r (after n p m s) p = false).
  { unfold ahead. rewrite after_self. cbn [moved completed]. rewrite (none_ahead _ _ _ HG p Hp).
    destruct (sort m); try congruence; rewrite Nat.eqb_refl; reflexivity. }
  rewrite Hb, Hb' in Hw. clear - Hin Hn Hs Hw.
  generalize dependent (stage r (after n p m s)). intros g Hs.
  generalize dependent (weights r (after n p m s)). intros b Hw.
  generalize dependent (weights r s). intros a Hw.
  unfold lowers, adds_gathering, adds_draining, adds_give_up in *.
  rows Hin falls.
Qed.

Lemma rounds_give_up : forall s p m, sort m = GivesUp -> rounds n (after n p m s) = rounds n s.
Proof.
  intros s p m E. unfold rounds. apply least_same.
  intros q _. destruct (Nat.eq_dec q p) as [->|Hne].
  - rewrite after_self. cbn. rewrite E. reflexivity.
  - rewrite (after_other n p m s q Hne). reflexivity.
Qed.

Lemma draining_lowers : forall r s p m, Locked n s -> Draining n r s -> enabled n p m s ->
  rounds n (after n p m s) = r /\ lowers m (rank s) (rank (after n p m s)) \/
  rounds n (after n p m s) = S r /\ all_wait n (after n p m s) /\ sort m <> GivesUp.
Proof.
  intros r s p m HL HD He.
  pose proof (draining_after n r s p m HL HD He) as [HD'|[HG' Hall]].
  2: { right. split; [exact (rounds_gathering _ _ HG')|]. split; [assumption|].
    intros E. apply rounds_give_up with (p := p) (s := s) in E.
    rewrite (rounds_gathering _ _ HG'), (rounds_draining _ _ HD) in E. lia. }
  left. split; [exact (rounds_draining _ _ HD')|].
  unfold rank. rewrite (rounds_draining _ _ HD), (rounds_draining _ _ HD').
  rewrite (stage_draining _ _ HD), (stage_draining _ _ HD').
  pose proof (lock_case n s p m HL He) as Hl.
  pose proof (weights_after r s p m He) as Hw.
  pose proof (last_holds n r s HL HD) as Hh.
  pose proof (exit_counts _ _ _ HD) as Hx. pose proof (last_clears _ _ _ HD) as Hlc.
  pose proof (flag_up _ _ _ HD) as Hf. pose proof (enter_zero _ _ _ HD) as He0.
  destruct He as (Hp & Hin & Hpc & Hwhen & _).
  pose proof (places _ _ _ HD p Hp) as Hpl.
  pose proof (drained_first _ _ _ HD p Hp) as Hdf.
  assert (Hless : has_left r (procs s p) = false -> left_it n r s < n).
  { intros E. apply (count_less _ n p Hp E). }
  unfold has_left in Hless. unfold ahead in Hw. rewrite after_self in Hw.
  change (shared (after n p m s)) with (writes m (Z.of_nat n) (shared s)).
  cbn [moved completed] in Hw. rewrite Hpc in *. clear HL HD HD' Hpc.
  generalize dependent (weights r (after n p m s)). intros u' Hw.
  generalize dependent (weights r s). intros u Hw.
  generalize dependent (busy (after n p m s)). intros b' Hl.
  generalize dependent (holder (after n p m s)). intros h' Hl.
  generalize dependent (busy s). generalize dependent (left_it n r s).
  generalize dependent (holder s). generalize dependent (completed (procs s p)).
  generalize dependent (shared s).
  intros w Hwhen Hf He0 k Hpl Hw h l Hx Hdf Hless b Hh Hlc Hl.
  unfold lowers, adds_draining, adds_give_up in *.
  destruct Hpl as [[-> Hpl]|[-> Hpl]];
    rewrite ?not_behind, ?Nat.eqb_refl in *; cbn [negb orb] in *.
  - assert (Hw' : u' + weight false (from m) =
      u + weight (match sort m with Completes => true | _ => false end) (to m)).
    { destruct (sort m); rewrite ?not_behind, ?Nat.eqb_refl in Hw; exact Hw. }
    clear Hw. rows Hin falls.
  - assert (Hw' : u' + weight true (from m) = u + weight true (to m)).
    { rewrite (proj2 (Nat.eqb_neq _ _)) in Hw by (destruct (sort m); lia). exact Hw. }
    clear Hw. rows Hin falls.
Qed.

Lemma invariant_lowers : forall r s p m, Invariant n r s -> enabled n p m s ->
  rounds n (after n p m s) = rounds n s /\ lowers m (rank s) (rank (after n p m s)) \/
  rounds n (after n p m s) = S (rounds n s) /\ all_wait n (after n p m s) /\ sort m <> GivesUp.
Proof.
  intros r s p m [HL [HG|HD]] He.
  - left. rewrite (rounds_gathering _ _ HG). apply gathering_lowers; assumption.
  - rewrite (rounds_draining _ _ HD). apply draining_lowers; assumption.
Qed.

(** Every step but the one that ends a round lowers the rank. *)
Theorem step_lowers_rank : forall s p m, reachable n s -> enabled n p m s -> sort m <> GivesUp ->
  rounds n (after n p m s) = rounds n s /\ rank (after n p m s) < rank s \/
  rounds n (after n p m s) = S (rounds n s).
Proof.
  intros s p m H He Hs. destruct (invariant_reachable n some_process s H) as [r Hi].
  destruct (invariant_lowers r s p m Hi He) as [[Hr Hl]|[Hr _]]; [left | right; assumption].
  split; [assumption|]. unfold lowers in Hl. destruct (sort m); congruence || assumption.
Qed.

Theorem give_up_raises_rank : forall s p m, reachable n s -> enabled n p m s -> sort m = GivesUp ->
  rounds n (after n p m s) = rounds n s /\ rank (after n p m s) <= rank s + adds_give_up.
Proof.
  intros s p m H He Hs. destruct (invariant_reachable n some_process s H) as [r Hi].
  destruct (invariant_lowers r s p m Hi He) as [[Hr Hl]|(_ & _ & Hn)]; [|contradiction].
  split; [assumption|]. unfold lowers in Hl. rewrite Hs in Hl. exact Hl.
Qed.

(** ** How long a round takes *)

Lemma weight_most : forall b a, weight b a <= 28.
Proof. intros [|] []; cbn; lia. Qed.

Lemma rank_least : forall r s, Invariant n r s -> 9 <= rank s.
Proof.
  intros r s [HL [HG|HD]]; unfold rank.
  - rewrite (rounds_gathering _ _ HG), (stage_gathering _ _ HG).
    assert (Hp : 0 < n) by lia.
    pose proof (sum_at_least (fun p => weight (ahead r s p) (pc (procs s p))) n 0 Hp) as H.
    cbn beta in H. unfold ahead in H at 1. rewrite (none_ahead _ _ _ HG 0 Hp), Nat.eqb_refl in H.
    assert (9 <= weight false (pc (procs s 0))) by (destruct (pc (procs s 0)); cbn; lia).
    unfold weights, negb in *. lia.
  - rewrite (rounds_draining _ _ HD). destruct (some_behind _ _ _ HD) as (p & Hp & Hr).
    pose proof (sum_at_least (fun p => weight (ahead r s p) (pc (procs s p))) n p Hp) as H.
    cbn beta in H. unfold ahead in H at 1. rewrite Hr, Nat.eqb_refl in H.
    assert (9 <= weight false (pc (procs s p))) by (destruct (pc (procs s p)); cbn; lia).
    unfold weights, negb in *. lia.
Qed.

Lemma rank_most : forall r s, Invariant n r s -> rank s <= 28 * n + 1.
Proof.
  intros r s [HL [HG|HD]]; unfold rank.
  - rewrite (rounds_gathering _ _ HG), (stage_gathering _ _ HG).
    assert (Hlight : exists p, p < n /\ weight false (pc (procs s p)) <= 25).
    { destruct (some_or_none (fun p => negb (counted (pc (procs s p)))) n) as [(p & Hp & Hc)|Hall].
      - exists p. split; [assumption|].
        pose proof (none_leaves _ _ _ HG p Hp).
        destruct (pc (procs s p)); cbn in *; try discriminate; lia.
      - assert (E : entered n s = n).
        { apply count_every. intros p Hp. specialize (Hall p Hp).
          destruct (counted (pc (procs s p))); [reflexivity | discriminate]. }
        pose proof (words_gathered _ _ _ HG) as Hw. rewrite E in Hw. unfold busy in Hw.
        destruct (holder s) as [h|] eqn:Hh; [|cbn in Hw; lia].
        exists h. split; [apply (holder_holds _ _ HL h Hh)|].
        destruct (pc (procs s h)); cbn in *; lia. }
    destruct Hlight as (p & Hp & Hlight).
    pose proof (sum_pair (fun p => weight (ahead r s p) (pc (procs s p))) n 28 p Hp
      (fun q _ => weight_most _ _)) as H.
    cbn beta in H. unfold ahead in H at 2. rewrite (none_ahead _ _ _ HG p Hp), Nat.eqb_refl in H.
    unfold weights, adds_gathering, negb in *. lia.
  - rewrite (rounds_draining _ _ HD), (stage_draining _ _ HD).
    pose proof (sum_at_most (fun p => weight (ahead r s p) (pc (procs s p))) n 28
      (fun q _ => weight_most _ _)) as H.
    unfold weights, adds_draining. destruct (_ =? _)%Z; lia.
Qed.

Lemma starts_reachable : forall s, starts_round n s -> reachable n s.
Proof.
  intros s [->|(s' & p & m & H & He & -> & _)]; [constructor | apply reachable_after; assumption].
Qed.

Lemma rank_start : forall s, starts_round n s -> rank s <= 24 * n + 4.
Proof.
  intros s Hs. assert (Hall : exists r, Gathering n r s /\ all_wait n s).
  { destruct Hs as [->|(s' & p & m & H & He & -> & Hlt)].
    - exists 0. split; [apply gathering_initial; assumption|]. intros p Hp. reflexivity.
    - destruct (invariant_reachable n some_process s' H) as (r & HL & HP).
      destruct (invariant_lowers r s' p m (conj HL HP) He) as [[Hr _]|(Hr & Hw & _)]; [lia|].
      destruct HP as [HG|HD].
      + destruct (gathering_lowers r s' p m HL HG He) as [E _].
        rewrite (rounds_gathering _ _ HG) in Hlt. lia.
      + rewrite (rounds_draining _ _ HD) in Hr.
        destruct (draining_after n r s' p m HL HD He) as [HD'|[HG _]]; [|eauto].
        rewrite (rounds_draining _ _ HD') in Hr. lia. }
  destruct Hall as (r & HG & Hw). unfold rank.
  rewrite (rounds_gathering _ _ HG), (stage_gathering _ _ HG).
  assert (H : weights r s <= 24 * n); [|unfold adds_gathering; lia].
  apply sum_at_most. intros p Hp. specialize (Hw p Hp).
  destruct (ahead r s p), (pc (procs s p)); cbn in *; try discriminate; lia.
Qed.

Lemma path_reachable : forall s k g s', reachable n s -> path n s k g s' -> reachable n s'.
Proof. intros s k g s' H Hp. induction Hp; auto using reachable_after. Qed.

Lemma path_lowers : forall s k g s', reachable n s -> path n s k g s' ->
  rounds n s' = rounds n s /\ rank s' + k <= rank s + adds_give_up * g \/ rounds n s < rounds n s'.
Proof.
  intros s k g s' H Hp. induction Hp as [|k g s' p m Hp IH He Hs|k g s' p m Hp IH He Hs].
  - left. lia.
  - pose proof (path_reachable _ _ _ _ H Hp) as H'.
    destruct (step_lowers_rank s' p m H' He Hs) as [[Hr Hl]|Hr]; lia.
  - pose proof (path_reachable _ _ _ _ H Hp) as H'.
    destruct (give_up_raises_rank s' p m H' He Hs) as [Hr Hl]. lia.
Qed.

(** A round ends within 24n - 4 steps, and 16 more each time that a call gives
    up in it. *)
Theorem round_ends : forall s k g s', starts_round n s -> path n s k g s' ->
  steps_of_round n + adds_give_up * g <= k -> rounds n s < rounds n s'.
Proof.
  intros s k g s' Hs Hp Hk. pose proof (starts_reachable s Hs) as H.
  destruct (path_lowers s k g s' H Hp) as [[Hr Hl]|Hr]; [|assumption].
  destruct (invariant_reachable n some_process s' (path_reachable _ _ _ _ H Hp)) as [r Hi].
  pose proof (rank_least r s' Hi). pose proof (rank_start s Hs).
  unfold steps_of_round in Hk. lia.
Qed.

(** From any state the round ends within 28n - 7 steps, and 16 more each time
    that a call gives up on the way. *)
Theorem round_ends_from_any_state : forall s k g s', reachable n s -> path n s k g s' ->
  steps_to_end n + adds_give_up * g <= k -> rounds n s < rounds n s'.
Proof.
  intros s k g s' H Hp Hk.
  destruct (path_lowers s k g s' H Hp) as [[Hr Hl]|Hr]; [|assumption].
  destruct (invariant_reachable n some_process s H) as [r Hi].
  destruct (invariant_reachable n some_process s' (path_reachable _ _ _ _ H Hp)) as [r' Hi'].
  pose proof (rank_least r' s' Hi'). pose proof (rank_most r s Hi).
  unfold steps_to_end in Hk. lia.
Qed.

End Rank.
