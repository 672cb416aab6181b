//go:build linux

package run

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/trace"
)

// call opens the barrier and makes all calls of the worker.
func (w *worker) call(open opener) error {
	if err := w.await(w.opening); err != nil {
		return err
	}
	if !w.late {
		if err := w.openBarrier(open); err != nil {
			return err
		}
	}
	if err := w.await(w.begun); err != nil {
		return err
	}
	if w.late {
		nap(time.Duration(w.plan.LateMoment() * float64(time.Millisecond)))
		if err := w.openBarrier(open); err != nil {
			return err
		}
		w.ledger.AddHappened(w.Worker, w.plan.Find(fault.Construct))
	}
	for round := w.first; ; round++ {
		if err := w.round(round, open); err != nil {
			return err
		}
		if w.ledger.IsLast(round) || round == w.last {
			w.guide.end()
			w.inject.atEnd()
			return w.barrier.Close()
		}
	}
}

// openBarrier opens the barrier of the worker.
func (w *worker) openBarrier(open opener) error {
	var hook func(spec.Step)
	switch {
	case w.announces():
		hook = w.announce
	case w.track != nil:
		hook = w.onlyRecord
	}
	if w.words == nil {
		words, err := trace.OpenWords(w.Segment, w.Port == "")
		if err != nil {
			return err
		}
		w.words = words
		w.observer = w.ledger.Observer(w.Worker, words.Read)
	}
	w.inject.ask(w.first)
	b, err := open(w.ctx, w.assignment, hook)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.barrier = b
	if _, white := b.(*whitePort); white {
		_, err = io.WriteString(os.Stdout, announcing)
	}
	return err
}

// reopen closes the barrier and opens it again, if Config.Reopen says so.
func (w *worker) reopen(open opener) error {
	if !w.Reopen || w.Port != "" || w.late {
		return nil
	}
	if err := w.barrier.Close(); err != nil {
		return err
	}
	return w.openBarrier(open)
}

// announces reports whether something happens at the steps of the worker, if
// its barrier tells them.
func (w *worker) announces() bool {
	return w.Pauses || len(w.plan.Faults()) > 0 || w.guide != nil
}

// announce is the hook of the barrier. What happens before the step is judged
// and recorded first, as the worker may die there.
func (w *worker) announce(s spec.Step) {
	if w.Port != "" {
		w.observer.Answered()
	}
	events := w.awaitTurn(s)
	words := w.words.Read()
	w.track.Step(s, words)
	w.judge(w.observer.Step(s, words))
	w.guided(events)
	w.inject.before(s)
	if w.Pauses {
		w.pauses.beforeStep()
	}
}

// onlyRecord is the hook of a run at full speed.
func (w *worker) onlyRecord(s spec.Step) {
	var words spec.Words
	switch {
	case !s.Holds():
	case w.Port == "":
		words = w.words.Load() // wait recovers
	default:
		words = w.words.Read() // they are not mapped
	}
	w.track.Step(s, words)
}

// round makes calls until one has returned from the round, or has failed.
func (w *worker) round(round int64, open opener) error {
	for w.plan.AfterReturn(round) && !w.ledger.AllReturned(round-1) {
		nap(50 * time.Microsecond)
	}
	parties := w.plan.Parties(w.Worker, round)
	for {
		w.guided(w.guide.before(spec.Call))
		if err := w.reopen(open); err != nil {
			return err
		}
		if w.Pauses {
			w.pauses.beforeCall()
		}
		ctx := w.inject.begin(round)
		at := now()
		w.track.Begin(round, at, parties)
		if w.inject.black() != nil {
			w.track.Step(spec.Call, spec.Words{}) // the only step that it is known to take
		}
		w.judge(w.observer.Begin(round, parties, at))
		err := w.wait(ctx, parties)
		// The oracle comes first: a worker that begins only now must count as
		// one that had not begun.
		withdrew := errors.Is(err, context.Canceled) && ctx.Err() != nil && w.ctx.Err() == nil // else the port is gone
		switch {
		case err == nil:
			early, found := w.observer.Return(round)
			at := now()
			w.track.End(trace.Returned, at)
			lastBegin := w.ledger.LastBegin(round)
			w.record(at, lastBegin, early)
			w.keepSlow(round, at-lastBegin)
			w.judge(found)
		case withdrew:
			w.track.End(trace.Withdrawn, now())
			w.judge(w.observer.Leave(round, oracle.Withdrawn))
		case err == errWalkedAway:
			w.track.End(trace.Abandoned, now())
			w.judge(w.observer.Leave(round, oracle.Abandoned))
		default:
			w.track.End(trace.Failed, now())
		}
		w.inject.end(err)
		switch {
		case err == nil:
			return nil
		case !withdrew && err != errWalkedAway:
			w.observer.Refuse()
			return err
		}
	}
}

var errCutOff = errors.New("a peer has truncated the segment")

// wait makes one call. It returns errWalkedAway if the hook has panicked with
// it.
func (w *worker) wait(ctx context.Context, parties int) (err error) {
	defer func() {
		switch r := recover(); {
		case r == nil:
		case r == errWalkedAway:
			err = errWalkedAway
		case w.words.IsFault(r): // of onlyRecord
			err = errCutOff
		default:
			panic(r)
		}
	}()
	err = w.barrier.Wait(ctx, parties)
	if errors.Is(err, port.ErrAbandoned) {
		return errWalkedAway
	}
	return err
}

// record records one return, at time now, from a round that the last worker
// began at time lastBegin.
func (w *worker) record(now, lastBegin int64, early []oracle.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found.Calls++
	if w.firstReturn == 0 {
		w.firstReturn = now
	}
	w.found.Elapsed = time.Duration(now - w.firstReturn)
	w.found.Slices.record(now, now-lastBegin)
	if now >= lastBegin { // a return before the last begin is an early exit, not a latency
		w.found.Latency.RecordValue(max(1, now-lastBegin))
	}
	if len(early) > 0 && w.found.Early == nil {
		w.found.Early, w.found.Record = &early[0], new(w.recorder.Read())
	}
}

// judge records the properties that the worker has seen to fail, each once.
func (w *worker) judge(found []oracle.Refutation) {
	if len(found) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range found {
		if !slices.ContainsFunc(w.found.Refuted, func(r oracle.Refutation) bool { return r.Property == f.Property }) {
			w.found.Refuted = append(w.found.Refuted, f)
		}
		if w.found.Record == nil {
			w.found.Record = new(w.recorder.Read())
		}
	}
}
