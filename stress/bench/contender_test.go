//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/stress/run"
)

// TestMain makes this program the workers of its own tests, too.
func TestMain(m *testing.M) {
	for name, open := range fakes {
		openers[name] = open
	}
	run.ServeWorker()
	Serve()
	os.Exit(m.Run())
}

// fakes are contenders with something wrong, or something to measure.
var fakes = map[string]opener{
	"no-waiting": func(int, int, string, string) (barrier, error) { return fake{}, nil },
	"early-by-one": func(_, parties int, _, lock string) (barrier, error) {
		return openTicket(lock, parties, 1)
	},
	"early-by-none": func(_, parties int, _, lock string) (barrier, error) {
		return openTicket(lock, parties, 0)
	},
	"hangs": func(int, int, string, string) (barrier, error) {
		return fake{waits: func() error { select {} }}, nil
	},
	"does-not-open": func(int, int, string, string) (barrier, error) {
		return nil, errors.New("this barrier does not open")
	},
	"dies": func(party, _ int, _, _ string) (barrier, error) {
		return fake{waits: func() error {
			if party == 1 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			select {}
		}}, nil
	},
	"leaves": func(int, int, string, string) (barrier, error) { // says that all went well
		return fake{waits: func() error { os.Exit(0); return nil }}, nil
	},
	"computes": func(party, parties int, segment, lock string) (barrier, error) {
		b, err := openPlain(party, parties, segment, lock)
		return fake{b, func() error { compute(time.Millisecond); return nil }}, err
	},
	"sleeps": func(party, parties int, segment, lock string) (barrier, error) {
		b, err := openPlain(party, parties, segment, lock)
		return fake{b, func() error { nap(100); return nil }}, err
	},
	"starts-slowly": func(party, parties int, segment, lock string) (barrier, error) {
		compute(slowStart)
		nap(slowNaps)
		b, err := openPlain(party, parties, segment, lock)
		return fake{b, nil}, err
	},
	"says-where": func(party, parties int, segment, lock string) (barrier, error) {
		return nil, fmt.Errorf("%d processors, %d busy", runtime.NumCPU(), len(siblings("stress-busy")))
	},
}

const (
	slowStart = 300 * time.Millisecond // of a processor
	slowNaps  = 2000
)

// fake calls waits, if there is one, and then waits at the barrier, if there is
// one.
type fake struct {
	barrier
	waits func() error
}

func (f fake) wait() error {
	if f.waits != nil {
		if err := f.waits(); err != nil {
			return err
		}
	}
	if f.barrier == nil {
		return nil
	}
	return f.barrier.wait()
}

func (f fake) close() error { return nil }

// compute uses so much of a processor.
func compute(time time.Duration) {
	used := func() int64 { u := usage(); return u.Utime.Nano() + u.Stime.Nano() }
	for end := used() + int64(time); used() < end; {
	}
}

// nap leaves the processor so many times.
func nap(times int) {
	for range times {
		short := unix.NsecToTimespec(10_000)
		unix.Nanosleep(&short, nil)
	}
}

// ticket is a barrier with one counter, in the lock file. The call that draws
// ticket t waits until all tickets of its round are drawn; with the mistake,
// until all but early are.
type ticket struct {
	board
	parties, early int64
}

func openTicket(lock string, parties int, early int64) (barrier, error) {
	file, err := os.OpenFile(lock, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.Truncate(pageBytes); err != nil {
		return nil, err
	}
	b, err := mapBoard(file)
	return ticket{b, int64(parties), early}, err
}

func (t ticket) wait() error {
	mine := t.word(0).Add(1) - 1
	for full := (mine/t.parties + 1) * t.parties; t.word(0).Load() < full-t.early; {
		runtime.Gosched()
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return nil
}

func (t ticket) close() error { return nil }

// siblings lists the processes that this one's parent has, whose command lines
// have the text.
func siblings(text string) []int { return childrenOf(os.Getppid(), text) }

// ready prepares a contender. A missing tool skips the test.
func ready(t *testing.T, name string) prepared {
	t.Helper()
	if fakes[name] != nil {
		p, err := goContender(name)(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p.Name = name
		return p
	}
	doc := Document{}
	list, err := doc.prepare(t.Context(), []string{name})
	if errors.Is(err, ErrNone) {
		missing(t, doc.Contenders[0].Absent)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// short is a configuration for a measurement that is as short as it can be.
func short() Config { return Config{For: time.Nanosecond, Stall: 10 * time.Minute} }

// once makes one measurement.
func once(t *testing.T, c Config, p prepared, s Setting) (Sample, error) {
	t.Helper()
	cpus, err := processors(s.Processors)
	if err != nil {
		t.Fatal(err)
	}
	return c.measure(t.Context(), p, s, cpus)
}

// TestHazard_NoBarrier: a contender that does not wait, or not for all, is
// found out. Its control is a barrier that does.
func TestHazard_NoBarrier(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]bool{"no-waiting": true, "early-by-one": true, "early-by-none": false} {
		c := Config{For: time.Hour, Stall: 10 * time.Minute}
		if !wrong {
			c.For = 50 * time.Millisecond
		}
		_, err := once(t, c, ready(t, name), Setting{Parties: 3, Processors: 1})
		if errors.Is(err, ErrEarly) != wrong || !wrong && err != nil {
			t.Errorf("%s: %v, want an early exit: %v", name, err, wrong)
		}
	}
}

// TestHazard_NoBarrierInAnyLanguage has the workers in C and Python not wait.
func TestHazard_NoBarrierInAnyLanguage(t *testing.T) {
	for _, c := range []struct {
		name     string
		text     *string
		from, to string
	}{
		{"glibc", &workerC, "pthread_barrier_wait(barrier)", "barrier ? 0 : 1"},
		{"openmpi", &workerC, "MPI_Barrier(MPI_COMM_WORLD)", "MPI_SUCCESS"},
		{"multiprocessing", &workerPy, "barrier.wait", "lambda: None"},
		{"original", &workerPy, "original.SharedBarrier(lock, segment)", "lambda parties: None"},
	} {
		if !slices.Contains(real(t), c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			right := *c.text
			defer func() { *c.text = right }()
			*c.text = strings.ReplaceAll(right, c.from, c.to)
			if *c.text == right {
				t.Fatalf("the worker has no %q", c.from)
			}
			_, err := once(t, Config{For: time.Hour, Stall: 10 * time.Minute}, ready(t, c.name), Setting{Parties: 2, Processors: 1})
			if !errors.Is(err, ErrEarly) {
				t.Errorf("%s that does not wait: %v, want %v", c.name, err, ErrEarly)
			}
		})
	}
}

// TestHazard_Broken: a contender that hangs, fails, dies or reports nothing is
// an error that says so.
func TestHazard_Broken(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		err  error
		text string
	}{
		"hangs":         {ErrStalled, "this barrier hangs, or the machine is too busy"},
		"does-not-open": {ErrBroken, "this barrier does not open"},
		"dies":          {ErrBroken, "signal: killed"},
		"leaves":        {ErrBroken, "has reported 0 rounds"},
	} {
		c := short()
		if want.err == ErrStalled {
			c.Stall = 2 * time.Second
		}
		_, err := once(t, c, ready(t, name), Setting{Parties: 2, Processors: 1})
		if !errors.Is(err, want.err) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, want.err, want.text)
		}
	}
}

// TestProc_EachContender measures each real contender, for at least a round. On
// one processor a round takes processor time and context switches.
func TestProc_EachContender(t *testing.T) {
	for _, name := range real(t) {
		t.Run(name, func(t *testing.T) {
			c := short()
			c.For = 20 * time.Millisecond
			s, err := once(t, c, ready(t, name), Setting{Parties: 3, Processors: 1})
			if err != nil {
				t.Fatal(err)
			}
			if s.Rounds < 1 || s.Latency <= 0 || s.CPU <= 0 || s.Voluntary+s.Forced <= 0 {
				t.Errorf("%+v, want rounds, and all above 0", s)
			}
		})
	}
}

// real lists the contenders; with -short, those that start at once.
func real(t *testing.T) []string {
	t.Helper()
	if testing.Short() {
		return []string{"group", "plain", "glibc"}
	}
	return Names()
}

// TestUnit_OnlyTheSection: what a contender does in its calls is measured, and
// what it does before the section is not.
func TestUnit_OnlyTheSection(t *testing.T) {
	t.Parallel()
	one := Setting{Parties: 1, Processors: 1}
	for name, right := range map[string]func(s Sample) bool{
		"computes": func(s Sample) bool { return s.CPU >= 1000 },
		"sleeps":   func(s Sample) bool { return s.Voluntary >= 50 }, // a nap that ends before it begins is none
		"starts-slowly": func(s Sample) bool {
			return s.CPU*float64(s.Rounds) < float64(slowStart.Microseconds())/2 && s.Voluntary*float64(s.Rounds) < slowNaps/2
		},
	} {
		s, err := once(t, short(), ready(t, name), one)
		if err != nil || !right(s) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}
