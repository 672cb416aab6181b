package impl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// An actor is a party with a handle of its own that stops before each of its
// steps. It runs as a coroutine: it moves only within proceed.
type actor struct {
	b      *Barrier
	mutant *mutant
	resume func() (spec.Step, bool)
	stop   func()

	at       spec.Step // the step that it will do next
	parties  int       // of its call
	ctx      context.Context
	end      context.CancelFunc // of ctx
	ended    bool               // ctx has ended
	deaf     bool               // the call does not hear of it
	abandons bool               // the next step is to be abandoned
	returned bool               // the last step ended the call,
	err      error              // with this
	undo     func()             // ends the mutant's interference with the step

	blockedIn model.State // where it last tried a step that is blocked
}

// The two ways in which a hook leaves a call from within.
var (
	errStopped   = errors.New("actor is stopped")
	errAbandoned = errors.New("call is abandoned")
)

// newActor returns an actor that is at Call, or at MakeEnter if it constructs.
func newActor(b *Barrier, constructs bool, m *mutant) *actor {
	a := &actor{b: b, mutant: m, end: func() {}}
	a.resume, a.stop = iter.Pull(func(yield func(spec.Step) bool) { a.run(yield, constructs) })
	a.at, _ = a.resume()
	return a
}

func (a *actor) run(yield func(spec.Step) bool, constructs bool) {
	defer func() {
		if p := recover(); p != nil && p != errStopped {
			panic(p)
		}
	}()
	stopBefore := func(step spec.Step) {
		a.restore()
		if !yield(step) {
			panic(errStopped)
		}
		if a.abandons {
			a.abandons = false
			panic(errAbandoned)
		}
		a.interfere(step)
	}
	a.b.SetHook(func(step spec.Step) {
		if step != spec.Call { // where it stopped before it called Wait
			stopBefore(step)
		}
	})
	if constructs {
		a.b.construct()
	}
	for {
		stopBefore(spec.Call)
		a.ctx, a.end = context.WithCancel(context.Background())
		a.ended = false
		a.err = a.call()
		a.end()
		a.returned = true
	}
}

// call is Wait, and an abandoned Wait is an error like any other.
func (a *actor) call() (err error) {
	defer func() {
		if p := recover(); p == errAbandoned {
			err = errAbandoned
		} else if p != nil {
			panic(p)
		}
	}()
	return a.b.Wait(ears{a.ctx, a}, a.parties)
}

// ears is the context of an actor's call as the call hears of it.
type ears struct {
	context.Context
	a *actor
}

func (e ears) Err() error {
	if e.a.deaf {
		return nil
	}
	return e.Context.Err()
}

// proceed lets the actor take one step, or abandon it.
func (a *actor) proceed(m move) {
	a.returned, a.err = false, nil
	a.abandons = m.event == spec.Abandon
	if m.parties > 0 {
		a.parties = m.parties
	}
	a.at, _ = a.resume()
}

// cancel ends the context of the actor's call; it says whether that is new.
func (a *actor) cancel() bool {
	if a.ended {
		return false
	}
	a.ended = true
	a.end()
	return true
}

func (a *actor) close() {
	a.stop()
	a.end()
	a.b.Close()
}

// holdsLock asks the kernel whether the lock is held through the descriptor of
// the actor's handle.
func (a *actor) holdsLock() (bool, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", a.b.lock.fd))
	return bytes.Contains(info, []byte("FLOCK  ADVISORY  WRITE")), err
}

// interfere and restore make the actor behave as its mutant does in the step.
func (a *actor) interfere(step spec.Step) {
	if a.mutant != nil && a.mutant.step == step {
		a.undo = a.mutant.interfere(a)
	}
}

func (a *actor) restore() {
	if undo := a.undo; undo != nil {
		a.undo = nil
		undo()
	}
}
