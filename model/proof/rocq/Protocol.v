(** States, steps and runs of n named processes, and the properties of
    HAZARDS.md. Whoever trusts the theorems reads Table.v and this file, and for
    the rank the first definitions of Rank.v. *)

From Coq Require Import ZArith List.
From SharedBarrier Require Import Table.
Open Scope nat_scope.

(** The step that a process is at, and how many calls it has completed. *)
Record process := Process { pc : step; completed : nat }.

(** The words, the process that holds the lock, and all processes. *)
Record state := State { shared : words; holder : option nat; procs : nat -> process }.

(** The words are constructed, the lock is free, and every process is outside. *)
Definition initial : state := State initial_words None (fun _ => Process Call 0).

Section Protocol.

(** There are n processes, 0 to n - 1, and every call passes n. *)
Variable n : nat.

(** Process p can make move m in state s. *)
Definition enabled (p : nat) (m : move) (s : state) : Prop :=
  p < n /\ In m table /\ pc (procs s p) = from m /\
  when m (Z.of_nat n) (shared s) = true /\
  (lock m = Acquire -> holder s = None).

(** The lock after move m of process p. To release a lock that the process does
    not hold does nothing. *)
Definition lock_after (p : nat) (m : move) (s : state) : option nat :=
  match lock m, holder s with
  | Acquire, _ => Some p
  | Release, Some h => if h =? p then None else Some h
  | _, h => h
  end.

(** The process itself after move m. *)
Definition moved (m : move) (x : process) : process :=
  Process (to m) (match sort m with Completes => S (completed x) | _ => completed x end).

(** The state after move m of process p. *)
Definition after (p : nat) (m : move) (s : state) : state :=
  State (writes m (Z.of_nat n) (shared s)) (lock_after p m s)
    (fun q => if q =? p then moved m (procs s p) else procs s q).

Inductive reachable : state -> Prop :=
  | reachable_initial : reachable initial
  | reachable_after : forall s p m, reachable s -> enabled p m s -> reachable (after p m s).

(** ** Safety *)

(** A process has begun the calls that it has completed, and the one that it is
    in. *)
Definition begun (x : process) : nat :=
  match pc x with Call => completed x | _ => S (completed x) end.

Definition NoEarlyExit (s : state) : Prop :=
  forall p q, p < n -> q < n -> completed (procs s p) <= begun (procs s q).

Definition WordsInRange (s : state) : Prop :=
  (0 <= enter (shared s) <= Z.of_nat n /\
   -1 <= exit (shared s) <= Z.of_nat n /\
   (flag (shared s) = 0 \/ flag (shared s) = 1))%Z.

Definition LockExclusive (s : state) : Prop :=
  forall p q, p < n -> q < n ->
  holds (pc (procs s p)) = true -> holds (pc (procs s q)) = true -> p = q.

Definition Quiescent (s : state) : Prop :=
  (forall p, p < n -> pc (procs s p) = Call) ->
  (enter (shared s) = 0 /\ (exit (shared s) = -1 \/ exit (shared s) = Z.of_nat n))%Z.

(** ** The end of a round *)

(** The least of f 0 to f (k - 1). *)
Fixpoint least (f : nat -> nat) (k : nat) : nat :=
  match k with
  | 0 => 0
  | 1 => f 0
  | S j => min (least f j) (f j)
  end.

(** How many rounds have ended: as many calls as every process has completed. *)
Definition rounds (s : state) : nat := least (fun p => completed (procs s p)) n.

(** k steps, and g times that a call gives up, lead from s to a state. *)
Inductive path (s : state) : nat -> nat -> state -> Prop :=
  | path_none : path s 0 0 s
  | path_step : forall k g s' p m, path s k g s' -> enabled p m s' ->
      sort m <> GivesUp -> path s (S k) g (after p m s')
  | path_give_up : forall k g s' p m, path s k g s' -> enabled p m s' ->
      sort m = GivesUp -> path s k (S g) (after p m s').

(** A round starts in the first state, and where the last one has ended. *)
Definition starts_round (s : state) : Prop :=
  s = initial \/
  exists s' p m, reachable s' /\ enabled p m s' /\ s = after p m s' /\ rounds s' < rounds s.

(** ** Liveness *)

(** Process p can take a step, which is not to give up. *)
Definition able (p : nat) (s : state) : Prop :=
  exists m, enabled p m s /\ sort m <> GivesUp.

(** What happens at a moment of a run: a move of a process, or nothing. *)
Definition event := option (nat * move).

(** An infinite run has a state and an event for each moment. A run in which
    nothing happens any more is infinite too. *)
Definition is_run (state_at : nat -> state) (event_at : nat -> event) : Prop :=
  state_at 0 = initial /\
  forall t, match event_at t with
    | None => state_at (S t) = state_at t
    | Some (p, m) => enabled p m (state_at t) /\ state_at (S t) = after p m (state_at t)
    end.

(** Process p takes a step. *)
Definition takes (p : nat) (e : event) : Prop :=
  exists m, e = Some (p, m) /\ sort m <> GivesUp.

(** Some call gives up. *)
Definition gives_up (e : event) : Prop :=
  exists p m, e = Some (p, m) /\ sort m = GivesUp.

(** No process can take a step from some moment on without taking one. [Call] is
    a step: every process keeps calling. *)
Definition weakly_fair (state_at : nat -> state) (event_at : nat -> event) : Prop :=
  forall p, p < n -> forall t, exists u, t <= u /\
  (~ able p (state_at u) \/ takes p (event_at u)).

(** From some moment on no call gives up. *)
Definition gives_up_no_more (event_at : nat -> event) : Prop :=
  exists t, forall u, t <= u -> ~ gives_up (event_at u).

(** Process p completes calls without end. *)
Definition completes_calls (p : nat) (state_at : nat -> state) : Prop :=
  forall t, exists u, t < u /\
  completed (procs (state_at t) p) < completed (procs (state_at u) p).

Definition NoHang : Prop :=
  forall state_at event_at,
  is_run state_at event_at -> weakly_fair state_at event_at ->
  gives_up_no_more event_at ->
  forall p, p < n -> completes_calls p state_at.

(** The same with progress in place of weak fairness: while some process can take
    a step, something happens after finite time. *)

Definition progress (state_at : nat -> state) (event_at : nat -> event) : Prop :=
  forall t p, able p (state_at t) -> exists u, t <= u /\ event_at u <> None.

Definition NoHangByProgress : Prop :=
  forall state_at event_at,
  is_run state_at event_at -> progress state_at event_at ->
  gives_up_no_more event_at ->
  forall p, p < n -> completes_calls p state_at.

(** The same if each process makes R calls, and may rest then. *)

Definition wants (R p : nat) (s : state) : Prop :=
  able p s /\ (pc (procs s p) = Call -> completed (procs s p) < R).

Definition weakly_fair_until (R : nat) (state_at : nat -> state) (event_at : nat -> event) : Prop :=
  forall p, p < n -> forall t, exists u, t <= u /\
  (~ wants R p (state_at u) \/ takes p (event_at u)).

Definition AllReturn (R : nat) : Prop :=
  forall state_at event_at,
  is_run state_at event_at -> weakly_fair_until R state_at event_at ->
  gives_up_no_more event_at ->
  exists t, forall p, p < n -> R <= completed (procs (state_at t) p).

End Protocol.
