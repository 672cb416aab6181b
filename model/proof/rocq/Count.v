(** Sums over the processes 0 to n - 1, and how they change when one of the
    processes does. *)

From Coq Require Import Arith Lia.

Fixpoint sum (f : nat -> nat) (n : nat) : nat :=
  match n with 0 => 0 | S k => sum f k + f k end.

Definition one (b : bool) : nat := if b then 1 else 0.

(** How many of the processes satisfy f. *)
Definition count (f : nat -> bool) (n : nat) : nat := sum (fun p => one (f p)) n.

Lemma sum_same : forall f g n, (forall p, p < n -> f p = g p) -> sum f n = sum g n.
Proof.
  induction n as [|k IH]; simpl; intros H; [reflexivity|].
  rewrite (H k) by lia. rewrite IH; [reflexivity|]. intros p Hp. apply H. lia.
Qed.

Lemma sum_update : forall f g n p, p < n ->
  (forall q, q < n -> q <> p -> f q = g q) -> sum g n + f p = sum f n + g p.
Proof.
  induction n as [|k IH]; simpl; intros p Hp H; [lia|].
  destruct (Nat.eq_dec p k) as [->|Hk].
  - rewrite (sum_same f g k); [lia|]. intros q Hq. apply H; lia.
  - specialize (IH p). rewrite (H k) by lia.
    assert (sum g k + f p = sum f k + g p) by (apply IH; [lia | intros q Hq; apply H; lia]).
    lia.
Qed.

Lemma sum_at_most : forall f n b, (forall p, p < n -> f p <= b) -> sum f n <= b * n.
Proof.
  induction n as [|k IH]; simpl; intros b H; [lia|].
  assert (sum f k <= b * k) by (apply IH; intros p Hp; apply H; lia).
  assert (f k <= b) by (apply H; lia). lia.
Qed.

Lemma sum_at_least : forall f n p, p < n -> f p <= sum f n.
Proof.
  induction n as [|k IH]; simpl; intros p Hp; [lia|].
  destruct (Nat.eq_dec p k) as [->|Hk]; [lia|].
  assert (f p <= sum f k) by (apply IH; lia). lia.
Qed.

Lemma sum_pair : forall f n b p, p < n -> (forall q, q < n -> f q <= b) ->
  sum f n + b <= b * n + f p.
Proof.
  induction n as [|k IH]; simpl; intros b p Hp H; [lia|].
  destruct (Nat.eq_dec p k) as [->|Hk].
  - assert (sum f k <= b * k) by (apply sum_at_most; intros q Hq; apply H; lia). lia.
  - assert (sum f k + b <= b * k + f p) by (apply IH; [lia | intros q Hq; apply H; lia]).
    assert (f k <= b) by (apply H; lia). lia.
Qed.

Lemma count_update : forall f g n p, p < n ->
  (forall q, q < n -> q <> p -> f q = g q) ->
  count g n + one (f p) = count f n + one (g p).
Proof.
  intros f g n p Hp H. unfold count.
  apply (sum_update (fun q => one (f q)) (fun q => one (g q)) n p Hp).
  intros q Hq Hne. rewrite (H q Hq Hne). reflexivity.
Qed.

Lemma count_most : forall f n, count f n <= n.
Proof.
  intros f n. assert (H : count f n <= 1 * n); [|lia].
  apply (sum_at_most (fun p => one (f p))). intros p _. unfold one. destruct (f p); lia.
Qed.

Lemma count_none : forall f n, (forall p, p < n -> f p = false) -> count f n = 0.
Proof.
  induction n as [|k IH]; unfold count in *; simpl; intros H; [reflexivity|].
  rewrite IH by (intros p Hp; apply H; lia). rewrite (H k) by lia. reflexivity.
Qed.

(** If all n satisfy f, each does. *)
Lemma count_all : forall f n p, count f n = n -> p < n -> f p = true.
Proof.
  intros f n p Hc Hp. destruct (f p) eqn:Hf; [reflexivity|].
  assert (H : count f n + 1 <= 1 * n + one (f p)).
  { apply (sum_pair (fun q => one (f q)) n 1 p Hp). intros q _. unfold one. destruct (f q); lia. }
  rewrite Hf in H. simpl in H. lia.
Qed.

Lemma count_every : forall f n, (forall p, p < n -> f p = true) -> count f n = n.
Proof.
  induction n as [|k IH]; unfold count in *; simpl; intros H; [reflexivity|].
  rewrite IH by (intros p Hp; apply H; lia). rewrite (H k) by lia. simpl. lia.
Qed.

(** If one does not satisfy f, not all do. *)
Lemma count_less : forall f n p, p < n -> f p = false -> count f n < n.
Proof.
  intros f n p Hp Hf. pose proof (count_most f n).
  destruct (Nat.eq_dec (count f n) n) as [E|]; [|lia].
  rewrite (count_all f n p E Hp) in Hf. discriminate.
Qed.

(** It is decidable whether some process satisfies f. *)
Lemma some_or_none : forall f n,
  {p | p < n /\ f p = true} + {forall p, p < n -> f p = false}.
Proof.
  induction n as [|k [[p [Hp Hf]]|H]].
  - right. intros p Hp. lia.
  - left. exists p. split; [lia | assumption].
  - destruct (f k) eqn:Hf.
    + left. exists k. split; [lia | assumption].
    + right. intros p Hp. destruct (Nat.eq_dec p k) as [->|]; [assumption|]. apply H. lia.
Qed.
