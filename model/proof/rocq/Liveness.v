(** Some process can always take a step, and in a weakly fair run every call
    returns. *)

From Coq Require Import ZArith List Lia Bool Arith.
From SharedBarrier Require Import Table Protocol Count Invariant Gathering Draining Safety Rank.
Open Scope nat_scope.

Definition same_step (a b : step) : {a = b} + {a <> b}.
Proof. decide equality. Defined.

Section Liveness.

Variable n : nat.

(** ** A step is possible *)

(** A process at step a can make move m, which is a step. *)
Definition possible (a : step) (w : words) (free : bool) (m : move) : bool :=
  (if same_step (from m) a then true else false) && when m (Z.of_nat n) w &&
  (match lock m with Acquire => free | _ => true end) &&
  (match sort m with GivesUp => false | _ => true end).

Definition can (a : step) (w : words) (free : bool) : bool :=
  existsb (possible a w free) table.

Definition is_free (s : state) : bool := match holder s with None => true | _ => false end.

Lemma possible_enabled : forall p m s, p < n -> In m table ->
  possible (pc (procs s p)) (shared s) (is_free s) m = true ->
  enabled n p m s /\ sort m <> GivesUp.
Proof.
  intros p m s Hp Hin H. unfold possible in H.
  apply andb_true_iff in H as [H Hs]. apply andb_true_iff in H as [H Hl].
  apply andb_true_iff in H as [Ha Hw]. destruct (same_step (from m) _) as [Hf|]; [|discriminate].
  split; [|destruct (sort m); discriminate].
  repeat split; auto. intros E. rewrite E in Hl. unfold is_free in Hl.
  destruct (holder s); [discriminate | reflexivity].
Qed.

Lemma able_iff : forall p s, able n p s <->
  p < n /\ can (pc (procs s p)) (shared s) (is_free s) = true.
Proof.
  intros p s. unfold can. rewrite existsb_exists. split.
  - intros (m & (Hp & Hin & Ha & Hw & Hl) & Hs). split; [assumption|].
    exists m. split; [assumption|]. unfold possible.
    destruct (same_step (from m) _) as [_|Hf]; [|congruence]. rewrite Hw. cbn [andb].
    destruct (sort m); try congruence; rewrite andb_true_r;
      destruct (lock m); auto; unfold is_free; rewrite Hl; auto.
  - intros (Hp & m & Hin & H). exists m. apply possible_enabled; assumption.
Qed.

Lemma able_dec : forall p s, {able n p s} + {~ able n p s}.
Proof.
  intros p s. destruct (lt_dec p n) as [Hp|Hp].
  - destruct (can (pc (procs s p)) (shared s) (is_free s)) eqn:E.
    + left. apply able_iff. auto.
    + right. intros H. apply able_iff in H. destruct H. congruence.
  - right. intros (m & (H & _) & _). contradiction.
Qed.

Ltac possible_now :=
  cbn; unfold possible; cbn; repeat match goal with
  | H : ?x = _ |- context [(?x =? _)%Z] => rewrite H
  end; repeat match goal with
  | |- context [(?a =? ?b)%Z] => destruct (Z.eqb_spec a b)
  end; cbn; first [ reflexivity | lia ].

(** The holder of the lock can go on. *)
Lemma holder_can : forall a w, holds a = true -> can a w false = true.
Proof. intros [] w H; try discriminate; clear H; possible_now. Qed.

Hypothesis some_process : 1 <= n.

(** In every reachable state some process can take a step. It need not be the
    next call of a process that has completed more calls than another. *)
Theorem some_step : forall s, reachable n s -> exists p, able n p s /\
  (pc (procs s p) = Call -> completed (procs s p) = rounds n s).
Proof.
  intros s H. destruct (invariant_reachable n some_process s H) as (r & HL & HP).
  destruct (holder s) as [h|] eqn:Hh.
  - destruct (holder_holds _ _ HL h Hh) as [Hlt Hholds]. exists h. split.
    + apply able_iff. split; [assumption|]. unfold is_free. rewrite Hh.
      apply holder_can. assumption.
    + intros E. rewrite E in Hholds. discriminate.
  - assert (Hnone : forall p, p < n -> holds (pc (procs s p)) = false).
    { intros p Hp. destruct (holds (pc (procs s p))) eqn:E; [|reflexivity].
      rewrite (holds_alone _ _ HL p Hp E) in Hh. discriminate. }
    assert (Hfree : is_free s = true) by (unfold is_free; rewrite Hh; reflexivity).
    destruct HP as [HG|HD].
    + rewrite (rounds_gathering _ some_process _ _ HG).
      pose proof (words_gathered _ _ _ HG) as Hw. unfold busy in Hw. rewrite Hh in Hw.
      cbn in Hw. destruct Hw as (_ & Hc & Hx).
      destruct (some_or_none (fun p => negb (counted (pc (procs s p)))) n) as [(p & Hp & Hu)|Hall].
      2: { exfalso. assert (E : entered n s = n); [|lia].
        apply count_every. intros p Hp. specialize (Hall p Hp).
        destruct (counted (pc (procs s p))); [reflexivity | discriminate]. }
      destruct (Z.eq_dec (exit (shared s)) (Z.of_nat n)) as [En|En].
      * exists p. split; [|intros _; apply (none_ahead _ _ _ HG p Hp)].
        apply able_iff. split; [assumption|]. rewrite Hfree.
        pose proof (Hnone p Hp) as Hnp. pose proof (none_leaves _ _ _ HG p Hp) as Hlp.
        destruct (pc (procs s p)); cbn in Hu, Hnp, Hlp; try discriminate; possible_now.
      * destruct Hx as [Hx|Hx]; [|contradiction].
        destruct (init_exit_comes _ _ _ HG Hx) as (q & Hq & Hs).
        exists q. split; [|intros _; apply (none_ahead _ _ _ HG q Hq)].
        apply able_iff. split; [assumption|]. rewrite Hfree. pose proof (Hnone q Hq) as Hnq.
        destruct (pc (procs s q)); cbn in Hs, Hnq; try discriminate; possible_now.
    + destruct (some_behind _ _ _ HD) as (p & Hp & Hr). exists p.
      destruct (places _ _ _ HD p Hp) as [[_ Hl]|[Ha _]]; [|lia].
      split; [|rewrite (rounds_draining _ some_process _ _ HD); auto].
      apply able_iff. split; [assumption|]. rewrite Hfree.
      pose proof (flag_up _ _ _ HD) as Hf. pose proof (Hnone p Hp) as Hnp.
      destruct (pc (procs s p)); cbn in Hl, Hnp; try discriminate; possible_now.
Qed.

(** ** Runs *)

Section Run.

Variable state_at : nat -> state.
Variable event_at : nat -> event.
Hypothesis run : is_run n state_at event_at.

Lemma run_reachable : forall t, reachable n (state_at t).
Proof.
  destruct run as [H0 Hs]. induction t as [|t IH]; [rewrite H0; constructor|].
  specialize (Hs t). destruct (event_at t) as [[p m]|].
  - destruct Hs as [He ->]. apply reachable_after; assumption.
  - rewrite Hs. assumption.
Qed.

Lemma completed_grows : forall p t d,
  completed (procs (state_at t) p) <= completed (procs (state_at (t + d)) p).
Proof.
  intros p t d. induction d as [|d IH]; [rewrite Nat.add_0_r; lia|].
  rewrite Nat.add_succ_r. destruct run as [_ Hs]. specialize (Hs (t + d)).
  destruct (event_at (t + d)) as [[q m]|]; [destruct Hs as [_ Hs]|]; rewrite Hs; [|assumption].
  destruct (Nat.eq_dec p q) as [->|Hne].
  - rewrite after_self. cbn. destruct (sort m); lia.
  - rewrite (after_other n q m _ p Hne). assumption.
Qed.

(** Until moment t + d nothing happens, or something does first. *)
Lemma first_event : forall t d, state_at (t + d) = state_at t \/
  exists u p m, t <= u /\ state_at u = state_at t /\ event_at u = Some (p, m).
Proof.
  intros t d. induction d as [|d [IH|IH]]; [left; f_equal; lia | | right; assumption].
  rewrite Nat.add_succ_r. destruct run as [_ Hs]. specialize (Hs (t + d)).
  destruct (event_at (t + d)) as [[p m]|] eqn:E.
  - right. exists (t + d), p, m. split; [lia | auto].
  - left. congruence.
Qed.

(** Every process makes R calls. *)
Variable R : nat.

(** While some process wants to take a step, something happens. *)
Definition progress_until : Prop :=
  forall t p, wants n R p (state_at t) -> exists u, t <= u /\ event_at u <> None.

Lemma fair_progress : weakly_fair_until n R state_at event_at -> progress_until.
Proof.
  intros fair t p Hw. assert (Hp : p < n) by (apply (able_iff p (state_at t)), Hw).
  destruct (fair p Hp t) as (u & Hu & Hf). replace u with (t + (u - t)) in Hf by lia.
  destruct (first_event t (u - t)) as [E|(v & q & m & Hv & _ & Ee)].
  - rewrite E in Hf. destruct Hf as [Hf|(m & Hf & _)]; [contradiction|].
    exists (t + (u - t)). split; [lia | congruence].
  - exists v. split; [assumption | congruence].
Qed.

Variable T : nat.
Hypothesis no_give_up : forall t, T <= t -> ~ gives_up (event_at t).
Hypothesis goes_on : progress_until.

Lemma next_step : forall t, T <= t -> rounds n (state_at t) < R ->
  exists u p m, t <= u /\ state_at u = state_at t /\ event_at u = Some (p, m) /\ sort m <> GivesUp.
Proof.
  intros t Ht HR. destruct (some_step _ (run_reachable t)) as (p & Ha & Hc).
  assert (Hw : wants n R p (state_at t)).
  { split; [assumption|]. intros Hcall. rewrite (Hc Hcall). assumption. }
  destruct (goes_on t p Hw) as (u & Hu & He).
  assert (Hsome : exists v q m, t <= v /\ state_at v = state_at t /\ event_at v = Some (q, m)).
  { destruct (first_event t (u - t)) as [E|H]; [|assumption].
    destruct (event_at u) as [[q m]|] eqn:Ee; [|contradiction].
    exists u, q, m. replace (t + (u - t)) with u in E by lia. auto. }
  destruct Hsome as (v & q & m & Hv & Es & Ee). exists v, q, m. repeat split; auto.
  intros Hg. apply (no_give_up v); [lia|]. exists q, m. auto.
Qed.

Lemma round_is_over : forall k t, T <= t -> rank n (state_at t) < k -> rounds n (state_at t) < R ->
  exists u, t <= u /\ rounds n (state_at t) < rounds n (state_at u).
Proof.
  induction k as [|k IH]; intros t Ht Hk HR; [lia|].
  destruct (next_step t Ht HR) as (u & p & m & Hu & Es & Ee & Hs).
  pose proof (proj2 run u) as Hstep. rewrite Ee, Es in Hstep. destruct Hstep as [He Es'].
  destruct (step_lowers_rank n some_process _ p m (run_reachable t) He Hs) as [[Hr Hl]|Hr].
  - destruct (IH (S u)) as (v & Hv & Hrv); try (rewrite Es'; lia); [lia|].
    exists v. rewrite Es', Hr in Hrv. split; [lia | assumption].
  - exists (S u). rewrite Es'. split; [lia|]. lia.
Qed.

Lemma rounds_end : forall d t, T <= t -> R <= rounds n (state_at t) + d ->
  exists u, t <= u /\ R <= rounds n (state_at u).
Proof.
  induction d as [|d IH]; intros t Ht Hd; [exists t; lia|].
  destruct (le_lt_dec R (rounds n (state_at t))) as [Hle|Hlt]; [exists t; lia|].
  destruct (round_is_over (S (rank n (state_at t))) t Ht (Nat.lt_succ_diag_r _) Hlt)
    as (u & Hu & Hr).
  destruct (IH u) as (v & Hv & HRv); [lia | lia|]. exists v. lia.
Qed.

Lemma calls_complete : exists t, T <= t /\ forall p, p < n -> R <= completed (procs (state_at t) p).
Proof.
  destruct (rounds_end R T) as (u & Hu & Hr); [lia | lia|].
  exists u. split; [assumption|]. intros p Hp.
  pose proof (least_at_most (fun p => completed (procs (state_at u) p)) n p Hp) as H.
  cbn beta in H. unfold rounds in Hr. lia.
Qed.

End Run.

(** If from some moment on no call gives up, every process completes calls
    without end. Progress is enough. *)
Theorem no_hang_by_progress : NoHangByProgress n.
Proof.
  intros state_at event_at run goes_on [T HT] p Hp t.
  set (R := S (completed (procs (state_at t) p))).
  destruct (calls_complete state_at event_at run R (max T t)) as (u & Hu & H).
  - intros v Hv. apply HT. lia.
  - intros v q [Hq _]. apply (goes_on v q Hq).
  - specialize (H p Hp). unfold R in H. exists u. split; [|lia].
    destruct (Nat.eq_dec t u) as [<-|Hne]; lia.
Qed.

(** Weak fairness gives progress. *)
Theorem no_hang : NoHang n.
Proof.
  intros state_at event_at run fair.
  apply (no_hang_by_progress state_at event_at run).
  intros t p Ha. set (R := S (completed (procs (state_at t) p))).
  refine (fair_progress state_at event_at run R _ t p _).
  - intros q Hq v. destruct (fair q Hq v) as (w & Hw & Hf). exists w. split; [assumption|].
    destruct Hf as [Hf|Hf]; [left; intros [H _]; contradiction | right; assumption].
  - split; [assumption|]. intros _. unfold R. lia.
Qed.

(** If each process makes R calls and may rest then, all R calls of each return. *)
Theorem all_return : forall R, AllReturn n R.
Proof.
  intros R state_at event_at run fair [T HT].
  destruct (calls_complete state_at event_at run R T HT) as (u & _ & H); [|eauto].
  apply fair_progress; assumption.
Qed.

(** ** There are weakly fair runs *)

Definition turn (t : nat) : nat := t mod n.

Definition scheduled (s : state) (t : nat) : event :=
  match find (possible (pc (procs s (turn t))) (shared s) (is_free s)) table with
  | Some m => Some (turn t, m)
  | None => None
  end.

Fixpoint round_robin (t : nat) : state :=
  match t with
  | 0 => initial
  | S t => match scheduled (round_robin t) t with
    | Some (p, m) => after n p m (round_robin t)
    | None => round_robin t
    end
  end.

(** The theorem is about something: there are runs like those that it is about. *)
Theorem weakly_fair_runs_exist : exists state_at event_at,
  is_run n state_at event_at /\ weakly_fair n state_at event_at /\ gives_up_no_more event_at.
Proof.
  exists round_robin, (fun t => scheduled (round_robin t) t).
  assert (Hturn : forall t, turn t < n) by (intros t; apply Nat.mod_upper_bound; lia).
  assert (Hmove : forall t p m, scheduled (round_robin t) t = Some (p, m) ->
    p = turn t /\ enabled n p m (round_robin t) /\ sort m <> GivesUp).
  { intros t p m E. unfold scheduled in E. destruct (find _ table) as [m'|] eqn:F; [|discriminate].
    injection E as <- <-. apply find_some in F as [Hin F].
    split; [reflexivity|]. apply possible_enabled; auto. }
  split; [split; [reflexivity|]|split].
  - intros t. cbn [round_robin].
    destruct (scheduled (round_robin t) t) as [[p m]|] eqn:E; [|reflexivity].
    split; [|reflexivity]. apply (Hmove t p m E).
  - intros p Hp t. exists (p + n * t). split; [nia|].
    assert (Ht : turn (p + n * t) = p).
    { unfold turn. rewrite Nat.mul_comm, Nat.mod_add by lia. apply Nat.mod_small. assumption. }
    destruct (scheduled (round_robin (p + n * t)) (p + n * t)) as [[q m]|] eqn:E.
    + right. destruct (Hmove _ _ _ E) as (-> & _ & Hs). exists m. rewrite Ht. auto.
    + left. intros Ha. apply able_iff in Ha as [_ Ha]. unfold can in Ha.
      apply existsb_exists in Ha as (m & Hin & Hm). unfold scheduled in E.
      destruct (find _ table) as [m'|] eqn:F; [discriminate|].
      apply (find_none _ _ F) in Hin. rewrite Ht in Hin. congruence.
  - exists 0. intros u _ (p & m & E & Hs). destruct (Hmove u p m E) as (_ & _ & Hn). contradiction.
Qed.

End Liveness.
