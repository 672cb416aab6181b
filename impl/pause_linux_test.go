package impl

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// TestUnit_CancelledAsleep: a waiter that sleeps notices the end of its context
// at the next attempt.
func TestUnit_CancelledAsleep(t *testing.T) {
	b, _, _ := create(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asleep := make(chan struct{})
	attempts, late := 0, 0
	b.SetHook(func(s spec.Step) {
		if s != spec.AwaitFlag {
			return
		}
		if attempts++; attempts == yields+2 {
			close(asleep)
		}
		if ctx.Err() != nil {
			late++
		}
	})
	go func() { <-asleep; cancel() }()
	wantError(t, "Wait", b.Wait(ctx, 2), context.Canceled)
	if late > 1 {
		t.Errorf("attempts after the end of the context: got %d, want at most 1", late)
	}
	wantWords(t, b, spec.Words{Enter: 0, Exit: 2, Flag: spec.Down})
}

// TestUnit_AttemptsAreThoseOfAStep: a call that blocks at another step spins
// again before it sleeps.
func TestUnit_AttemptsAreThoseOfAStep(t *testing.T) {
	var p pause
	for i, want := range []struct {
		step  spec.Step
		tries int
	}{{spec.LockInit, 1}, {spec.LockInit, 2}, {spec.AwaitDrain, 1}, {spec.AwaitDrain, 2}, {spec.LockInit, 1}} {
		if got := p.failed(want.step); got != want.tries {
			t.Errorf("failed(%v), call %d: got %d, want %d", want.step, i, got, want.tries)
		}
	}
}

// A sleeper is a thread that sleeps on a word, again and again.
type sleeper struct {
	thread  int
	where   string // the address of the word, as the kernel prints it
	returns atomic.Int64
	since   atomic.Int64 // the round in which it last went to sleep
	woken   atomic.Int64 // the last round in which it went to sleep and a writer woke it
}

// startSleeper starts a thread that sleeps while word holds v, until the test
// ends.
func startSleeper(t *testing.T, b *Barrier, word spec.Word, v int32, round *atomic.Int64) *sleeper {
	s := &sleeper{where: fmt.Sprintf("%p", &b.segment.Words[word])}
	var done atomic.Bool
	var group sync.WaitGroup
	started := make(chan struct{})
	group.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		s.thread = unix.Gettid()
		close(started)
		for !done.Load() {
			since := round.Load()
			s.since.Store(since)
			if b.segment.Sleep(word, v) {
				s.woken.Store(since)
			}
			s.returns.Add(1)
			runtime.Gosched()
		}
	})
	<-started
	t.Cleanup(func() { done.Store(true); group.Wait() })
	return s
}

// systemCall returns the number and the arguments of the thread's system call.
func (s *sleeper) systemCall(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", s.thread))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// sleeps reports whether the call is futex(2) on the sleeper's word.
func (s *sleeper) sleeps(call []string) bool {
	return len(call) > 4 && call[0] == strconv.Itoa(unix.SYS_FUTEX) && call[1] == s.where
}

// TestUnit_WritersWake: InitExit wakes all who sleep on exit, and RaiseFlag all
// who sleep on flag, through other mappings of the segment. The writer writes
// when all are asleep at once, as they can be only if none waits for a processor
// of the Go runtime. A tick may end just then, hence several rounds.
func TestUnit_WritersWake(t *testing.T) {
	const rounds, readers = 100, 2
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(readers + 1))
	for _, tc := range []struct {
		writer spec.Step
		word   spec.Word
		before int32
	}{
		{spec.InitExit, spec.Exit, spec.NotSet},
		{spec.RaiseFlag, spec.Flag, spec.Down},
	} {
		t.Run(tc.writer.String(), func(t *testing.T) {
			b, name, lockPath := create(t)
			var round atomic.Int64
			var sleepers []*sleeper
			for range readers {
				sleepers = append(sleepers, startSleeper(t, attach(t, name, lockPath), tc.word, tc.before, &round))
			}
			before := make([]int64, len(sleepers))
			b.SetHook(func(step spec.Step) {
				if step != tc.writer {
					return
				}
				for asleep := 0; asleep < readers; runtime.Gosched() {
					asleep = 0
					for i, s := range sleepers {
						if before[i] = s.returns.Load(); s.since.Load() == round.Load() && s.sleeps(s.systemCall(t)) {
							asleep++
						}
					}
				}
			})
			for round.Store(1); round.Load() <= rounds; round.Add(1) {
				if err := b.Wait(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				woken := 0
				for i, s := range sleepers {
					for s.returns.Load() == before[i] {
						runtime.Gosched()
					}
					if s.woken.Load() == round.Load() {
						woken++
					}
				}
				if woken == len(sleepers) {
					return
				}
			}
			t.Errorf("in none of %d rounds %v woke all %d who sleep on %v", rounds, tc.writer, len(sleepers), tc.word)
		})
	}
}
