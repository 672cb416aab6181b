//go:build linux

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// fallible is a party whose third return from a call fails in a way of its own.
type fallible struct {
	party
	returns int
	fail    func() (string, error)
}

func (f *fallible) Ask(request string) (string, error) {
	answer, err := f.party.Ask(request)
	if answer == "returned" {
		if f.returns++; f.returns == 3 {
			return f.fail()
		}
	}
	return answer, err
}

var withdrawTwo = model.Config{Scenario: spec.Withdraw, Procs: 2}

// fallibles starts coroutines that fail.
func fallibles(fail func() (string, error)) starter {
	return func(p int, splitRMW bool) (party, error) {
		party, err := coroutines(withdrawTwo.Scenario, nil)(p, splitRMW)
		return &fallible{party: party, fail: fail}, err
	}
}

// TestUnit_RandomBySeed: the same seed makes the same moves, another seed
// others.
func TestUnit_RandomBySeed(t *testing.T) {
	cfg := model.Config{Scenario: spec.Surplus, Procs: 3} // ends in a refusal, and so with its moves
	d := driver{cfg: cfg, start: coroutines(cfg.Scenario, nil)}
	var schedules []string
	for _, seed := range []uint64{1, 1, 2} {
		rep, err := d.random(t.Context(), seed, 10000)
		if err != nil || rep.Verdict != spec.Passed || len(rep.Observed) == 0 {
			t.Fatalf("random(%d): got %v, observed %v, %v; want passed, and something observed", seed, rep.Verdict, rep.Observed, err)
		}
		schedules = append(schedules, rep.Schedule)
	}
	if schedules[0] != schedules[1] || schedules[0] == schedules[2] {
		t.Errorf("random with seeds 1, 1, 2: got %q, want the first two equal and the third not", schedules)
	}
}

// TestUnit_EndOfTheContext: once the context has ended, what a party does shows
// nothing. Before, it is a difference, or an error where the run has not begun.
func TestUnit_EndOfTheContext(t *testing.T) {
	broken := errors.New("broken")
	for _, interrupted := range []bool{true, false} {
		for _, c := range []struct {
			name   string
			starts bool
			fail   func() (string, error)
			begun  spec.Verdict
		}{
			{"cannot start", false, nil, spec.Passed}, // and an error
			{"fails", true, func() (string, error) { return "", broken }, spec.Violated},
			{"answers wrongly", true, func() (string, error) { return "opened", nil }, spec.Violated},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			end := func() {
				if interrupted {
					cancel()
				}
			}
			d := driver{cfg: withdrawTwo, start: fallibles(func() (string, error) {
				end()
				return c.fail()
			})}
			if !c.starts {
				d.start = func(int, bool) (party, error) {
					end()
					return nil, broken
				}
			}
			rep, err := d.random(ctx, 1, 1000)
			cancel()
			want := c.begun
			if interrupted {
				want = spec.Unfinished
			}
			if rep.Verdict != want || errors.Is(err, broken) != (!interrupted && !c.starts) {
				t.Errorf("a party that %s, interrupted %v: got %v, %s, %v; want %v", c.name, interrupted, rep.Verdict, rep.Why, err, want)
			}
		}
	}
}

// TestUnit_Environment: what the system refuses to the runner is an error, and
// no verdict about the parties.
func TestUnit_Environment(t *testing.T) {
	for _, refused := range []error{unix.ENOLCK, unix.EMFILE, lockprobe.ErrUnseen} {
		d := driver{cfg: withdrawTwo, start: fallibles(func() (string, error) { return "", fmt.Errorf("try the lock: %w", refused) })}
		rep, err := d.random(t.Context(), 1, 1000)
		if !errors.Is(err, refused) || rep.Verdict != spec.Unfinished {
			t.Errorf("after %v: got %v, %v; want unfinished and the error", refused, rep.Verdict, err)
		}
	}
}

// TestUnit_Shorten: after a difference the moves are made again. If it does not
// repeat, that is the end. A silence, which takes as long as the limit each
// time, is not repeated, and ends the shortening of another difference, as do
// the end of the context and the time limit. The shortest run until then
// counts.
func TestUnit_Shorten(t *testing.T) {
	right := func() (string, error) { return "returned", nil }
	wrong := func() (string, error) { return "withdrawn", nil }
	silent := func() (string, error) { return "", &port.Error{Kind: port.ErrSilent} }
	for _, c := range []struct {
		name        string
		first, then func() (string, error) // how the parties fail in the run, and in its replays
		limit       time.Duration
		replays     int // until the end of the context; 0: no end
		least, most int // replays
		shorter     bool
		why         string // how that of the report ends
	}{
		{"a wrong answer", wrong, wrong, time.Hour, 0, 30, 1000, true, `got "withdrawn", want "returned"`},
		{"a wrong answer once", wrong, right, time.Hour, 0, 1, 2, false, onlyOnce},
		{"silence", silent, silent, time.Hour, 0, 0, 0, false, ""},
		{"a wrong answer, then silence", wrong, silent, time.Hour, 0, 1, 2, false, notRepeated},
		{"interrupted at once", wrong, wrong, time.Hour, 1, 1, 1, false, notRepeated},
		{"interrupted", wrong, wrong, time.Hour, 100, 100, 100, true, `got "withdrawn", want "returned"`},
		{"no time", wrong, wrong, 0, 0, 0, 1, false, notRepeated},
	} {
		fail, replays := c.first, 0
		ctx, cancel := context.WithCancel(t.Context())
		start := fallibles(func() (string, error) { return fail() })
		d := driver{cfg: withdrawTwo, start: func(p int, splitRMW bool) (party, error) {
			if p == 0 {
				if replays++; replays == c.replays {
					cancel()
				}
			}
			return start(p, splitRMW)
		}}
		rep, err := d.random(t.Context(), 1, 1000)
		if err != nil || rep.Verdict != spec.Violated {
			t.Fatalf("%s: random: got %v, %v; want violated", c.name, rep.Verdict, err)
		}
		fail, replays = c.then, 0
		short := d.shorten(ctx, rep, c.limit)
		cancel()
		if replays < c.least || replays > c.most {
			t.Errorf("%s: got %d replays, want %d to %d", c.name, replays, c.least, c.most)
		}
		if short.Verdict != spec.Violated || !strings.HasSuffix(short.Why, c.why) {
			t.Errorf("%s: got %v, %q, want violated, and a difference that ends with %q", c.name, short.Verdict, short.Why, c.why)
		}
		if shorter := len(short.Schedule) < len(rep.Schedule); shorter != c.shorter {
			t.Errorf("%s: from %q shorten has made %q; shorter: got %v, want %v", c.name, rep.Schedule, short.Schedule, shorter, c.shorter)
		}
	}
}

// TestProc_Holds: a port holds a lock that its child holds, wherever the lock
// was taken. It does not hold one of another process, or none.
func TestProc_Holds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(path)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	start := func(script string, files ...*os.File) process {
		cmd := exec.Command("sh", "-c", script)
		cmd.ExtraFiles = files
		p, err := port.Start(t.Context(), "test", cmd, port.Limit)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		return process{Port: p}
	}
	other, family := start("echo port 1; read -r end"), start("sleep 1000 & exec 3<&-; echo port 1; read -r end", f)
	check := func(when string, p process, want bool) {
		t.Helper()
		if got, err := p.Holds(path); got != want || err != nil {
			t.Errorf("Holds %s: got %v, %v, want %v", when, got, err, want)
		}
	}
	check("of the port whose child shares the lock", family, true)
	f.Close()
	check("of the port whose child has the lock alone", family, true)
	check("of another port", other, false)
	family.Kill()
	check("when none holds it", other, false)
}

// TestProc_FrozenPort stops the processes of the ports amid a run, for longer
// than a port may take for an answer. They do as the model does.
func TestProc_FrozenPort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	const limit = 2 * time.Second
	var started []*port.Port
	d := driver{cfg: withdrawTwo, start: func(_ int, splitRMW bool) (party, error) {
		cmd, err := registry.Command(t.Context(), "go")
		if err != nil {
			return nil, err
		}
		p, err := port.Start(t.Context(), "go", cmd, limit)
		if err != nil {
			return nil, err
		}
		started = append(started, p)
		return newProcess(p, splitRMW)
	}}
	frozen := 0
	d.progress = func(steps int) {
		if steps != 50 {
			return
		}
		for _, p := range started {
			if p.Stop() {
				frozen++
				time.AfterFunc(2*limit, p.Continue)
			}
		}
	}
	if rep, err := d.random(t.Context(), 1, 100); err != nil || rep.Verdict != spec.Passed || rep.Steps != 100 || frozen != 2 {
		t.Errorf("%d ports stopped: %v after %d steps, %s, %v; want 2, passed after 100", frozen, rep.Verdict, rep.Steps, rep.Why, err)
	}
}
