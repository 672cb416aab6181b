//go:build linux

package inspect_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port/porttest"
)

// TestHazard_FalseAccusations inspects barriers that work, of each language, as
// fast as they go: at ease, while a party is stopped again and again, and where
// other processes want the processors. It never confirms a hang, and never says
// that words are foreign. With -sweep it looks 600 times.
func TestHazard_FalseAccusations(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds; TestProc_SlowMachine looks once")
	}
	looks := 2
	if *sweep {
		looks = 67
	}
	said := map[inspect.Status]int{}
	for _, name := range []string{"go", "c", original} {
		for _, how := range []string{"at ease", "with stops", "under load"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				for status, n := range accusations(t, name, how, looks) {
					said[status] += n
				}
			})
		}
	}
	t.Logf("of barriers that work it said: %v", said)
}

// accusations returns how often inspect said what of a barrier of three parties
// that work.
func accusations(t *testing.T, name, how string, looks int) map[inspect.Status]int {
	s := newScene(t, name, 3)
	ctx, stop := context.WithCancel(t.Context())
	var parties sync.WaitGroup
	ports := s.open(s.n)
	defer func() {
		stop()
		for _, p := range ports {
			p.Kill() // some are in a call that no other will join
		}
		parties.Wait()
	}()
	for _, p := range ports {
		parties.Go(func() {
			for err := ctx.Err(); err == nil && ctx.Err() == nil; {
				err = p.Wait(ctx, s.n)
			}
		})
	}
	switch how {
	case "under load":
		for range 2 * runtime.NumCPU() {
			startParty(t, reexec.Command(ctx, "burns"), nil)
		}
	case "with stops":
		parties.Go(func() {
			for ctx.Err() == nil {
				pid := ports[rand.IntN(len(ports))].PID()
				unix.Kill(pid, unix.SIGSTOP)
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
				unix.Kill(pid, unix.SIGCONT)
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
		})
	}
	said := map[inspect.Status]int{}
	for i := range looks {
		o := inspect.Options{Procs: 3 * (i % 2), For: time.Duration(50+rand.IntN(100)) * time.Millisecond}
		r, err := inspect.Inspect(ctx, s.target, o)
		if err != nil {
			t.Fatal(err)
		}
		said[r.Status]++
		if r.Status == inspect.Hangs || r.Status == inspect.Foreign {
			var text strings.Builder
			r.Text(&text)
			t.Errorf("a barrier of %s that works, %s:\n%s", name, how, text.String())
		}
	}
	return said
}

// TestHazard_HangsUnderLoad makes the original hang in each way twenty times,
// where other processes want the processors. The right cause is among the first
// two each time.
func TestHazard_HangsUnderLoad(t *testing.T) {
	if !*sweep {
		t.Skip("TestHazard_OriginalHangs does it once; give -sweep")
	}
	porttest.Need(t, original)
	for range 2 * runtime.NumCPU() {
		startParty(t, reexec.Command(t.Context(), "burns"), nil)
	}
	right, first := 0, 0
	for i := range 20 {
		for _, w := range ways {
			t.Run(fmt.Sprint(w.name, "/", i), func(t *testing.T) {
				s := newScene(t, original, 3)
				w.make(s)
				r := s.wantDiagnosis(w, 3*(i%2))
				switch slices.IndexFunc(r.Causes, w.cause) {
				case 0:
					first++
					fallthrough
				case 1:
					right++
				}
			})
		}
	}
	t.Logf("the right cause was first or second %d times of %d, first %d times", right, 20*len(ways), first)
}
