(** The safety properties hold in every reachable state. *)

From Coq Require Import ZArith List Lia Bool Arith.
From SharedBarrier Require Import Table Protocol Count Invariant Gathering Draining.
Open Scope nat_scope.

Section Safety.

Variable n : nat.

(** The invariant, in which every process has completed r calls or one more. *)
Definition Invariant (r : nat) (s : state) : Prop :=
  Locked n s /\ (Gathering n r s \/ Draining n r s).

Lemma invariant_after : forall r s p m, Invariant r s -> enabled n p m s ->
  Invariant r (after n p m s) \/ Invariant (S r) (after n p m s).
Proof.
  intros r s p m [HL HP] He. pose proof (locked_after n s p m HL He) as HL'.
  destruct HP as [HG|HD].
  - left. split; [assumption|]. apply gathering_after; assumption.
  - destruct (draining_after n r s p m HL HD He) as [H|[H _]]; [left | right]; split; auto.
Qed.

Hypothesis some_process : 1 <= n.

Lemma invariant_reachable : forall s, reachable n s -> exists r, Invariant r s.
Proof.
  intros s H. induction H as [|s p m H [r IH] He].
  - exists 0. split; [apply locked_initial|]. left. apply gathering_initial. assumption.
  - destruct (invariant_after r s p m IH He); eauto.
Qed.

Theorem no_early_exit : forall s, reachable n s -> NoEarlyExit n s.
Proof.
  intros s H p q Hp Hq. destruct (invariant_reachable s H) as (r & _ & [HG|HD]); unfold begun.
  - rewrite (none_ahead _ _ _ HG p Hp), (none_ahead _ _ _ HG q Hq).
    destruct (pc (procs s q)); lia.
  - assert (completed (procs s p) <= S r).
    { destruct (places _ _ _ HD p Hp) as [[? _]|[? _]]; lia. }
    destruct (places _ _ _ HD q Hq) as [[E Hl]|[E _]]; rewrite E.
    + destruct (pc (procs s q)); try discriminate; lia.
    + destruct (pc (procs s q)); lia.
Qed.

Theorem words_in_range : forall s, reachable n s -> WordsInRange n s.
Proof.
  intros s H. destruct (invariant_reachable s H) as (r & _ & [HG|HD]); unfold WordsInRange.
  - pose proof (words_gathered _ _ _ HG) as Hw. pose proof (flag_in_range _ _ _ HG) as Hf.
    unfold gathered in Hw. destruct (busy s); lia.
  - pose proof (count_most (fun q => has_left r (procs s q)) n) as Hm.
    pose proof (exit_counts _ _ _ HD) as Hx. unfold left_it in Hx.
    rewrite (flag_up _ _ _ HD), (enter_zero _ _ _ HD). lia.
Qed.

Theorem lock_exclusive : forall s, reachable n s -> LockExclusive n s.
Proof.
  intros s H p q Hp Hq Hhp Hhq. destruct (invariant_reachable s H) as (r & HL & _).
  apply (holds_alone _ _ HL) in Hhp; [|assumption].
  apply (holds_alone _ _ HL) in Hhq; [|assumption].
  congruence.
Qed.

Theorem quiescent : forall s, reachable n s -> Quiescent n s.
Proof.
  intros s H Hout. destruct (invariant_reachable s H) as (r & HL & [HG|HD]).
  - pose proof (words_gathered _ _ _ HG) as Hw.
    assert (Hb : busy s = Call).
    { unfold busy. destruct (holder s) as [h|] eqn:Hh; [|reflexivity].
      apply Hout. apply (holder_holds _ _ HL h Hh). }
    assert (Hc : entered n s = 0).
    { apply count_none. intros p Hp. rewrite (Hout p Hp). reflexivity. }
    rewrite Hb, Hc in Hw. cbn in Hw. tauto.
  - destruct (some_behind _ _ _ HD) as (p & Hp & Hr).
    destruct (places _ _ _ HD p Hp) as [[_ Hl]|[Ha _]]; [|lia].
    rewrite (Hout p Hp) in Hl. discriminate.
Qed.

End Safety.
