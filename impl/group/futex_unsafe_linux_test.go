package group

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec/intercept"
)

func addressOfTurn(g *Group) uint64 {
	return uint64(uintptr(unsafe.Pointer(&g.head.turn)) + low)
}

func addressOfOwner(g *Group, rank int) uint64 {
	return uint64(uintptr(unsafe.Pointer(&g.slots[rank].owner)))
}

// awaitGuardians waits until the members' guardians sleep. They do not see what
// a test then writes until somebody wakes them.
func awaitGuardians(t *testing.T, members ...*Group) {
	t.Helper()
	for _, g := range members {
		for {
			text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", g.guardian.thread))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(text), fmt.Sprintf("%d %#x ", unix.SYS_FUTEX, addressOfOwner(g, int(g.own.watches.Load())))) {
				break
			}
			runtime.Gosched()
		}
	}
}

// TestUnit_SleepIsNoted: a waiter sleeps for a while, on turn as it has seen it,
// and its slot says so meanwhile.
func TestUnit_SleepIsNoted(t *testing.T) {
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 2, 0)
	join(t, name, lockPath, 2, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sleeps atomic.Int64
	intercept.Run(t, []intercept.Filter{intercept.Futex}, func(c intercept.Call) unix.Errno {
		if c.Args[0] != addressOfTurn(g) || c.Args[1] != futexWait {
			return 0
		}
		if s, err := g.Status(); err != nil || !s.Ranks[0].Asleep || uint32(c.Args[2]) != uint32(s.Round<<1) || c.Args[3] == 0 {
			t.Errorf("sleep: got %+v, %v, with arguments %x, want that the slot says so", s, err, c.Args)
		}
		if sleeps.Add(1) == 5 {
			cancel()
		}
		return unix.ETIMEDOUT
	}, func() {
		wantError(t, "Wait", g.Wait(ctx), context.Canceled)
	})
	if s, err := g.Status(); err != nil || s.Ranks[0].Asleep || sleeps.Load() < 5 {
		t.Errorf("after %d sleeps: got %+v, %v, want 5, and that it is awake", sleeps.Load(), s, err)
	}
}

// TestUnit_Wakes: whoever changes what others sleep on wakes them after that,
// and a section of a guardian wakes them even if it has ended no round.
func TestUnit_Wakes(t *testing.T) {
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 2, 0)
	awaitGuardians(t, g) // it watches its own member
	var other *Group
	asleep := func(is uint32) {
		other.slots[1].asleep.Store(is)
		other.slots[1].arrival.Store(other.head.turn.Load()>>1<<2 | arrived)
	}
	for _, tc := range []struct {
		what  string
		by    func()
		on    func() uint64
		holds func() bool // when the sleepers are woken; nil: any
		wakes bool
	}{
		{"Join", func() { other = join(t, name, lockPath, 2, 1) }, func() uint64 { return addressOfOwner(other, 0) }, nil, true},
		{"Wait that carries out a round", func() {
			asleep(1)
			if err := g.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}, func() uint64 { return addressOfTurn(g) }, func() bool { return g.head.turn.Load() == 2<<1 }, true},
		{"Wait when nobody sleeps", func() {
			asleep(0)
			if err := g.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}, func() uint64 { return addressOfTurn(g) }, nil, false},
		{"a section of a guardian", func() {
			asleep(1)
			one := thread{Group: g, role: guarding}
			if took, err := one.lockRound(); !took || err != nil {
				t.Error(took, err)
			}
			asleep(0)
		}, func() uint64 { return addressOfTurn(g) }, nil, true},
		{"Leave", func() {
			if err := other.Leave(); err != nil {
				t.Error(err)
			}
		}, func() uint64 { return addressOfOwner(other, 1) }, func() bool { return g.slots[1].owner.Load() == vacant }, true},
	} {
		woken := map[uint64]bool{} // whether the condition held
		intercept.Run(t, []intercept.Filter{intercept.Futex}, func(c intercept.Call) unix.Errno {
			if c.Args[1] == futexWake {
				woken[c.Args[0]] = tc.holds == nil || tc.holds()
			}
			return 0
		}, tc.by)
		if held, wakes := woken[tc.on()]; wakes != tc.wakes || held != tc.wakes {
			t.Errorf("%s: wakes %v, when it has changed what they sleep on %v, want %v", tc.what, wakes, held, tc.wakes)
		}
	}
}
