//go:build linux

package inspect_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

// A scene is a barrier of the published original, and its processes.
type scene struct {
	*testing.T
	barrier *impl.Barrier
	target  inspect.Target
}

func newScene(t *testing.T) *scene {
	t.Helper()
	porttest.Need(t, "python")
	b, segment, lockPath := porttest.NewBarrier(t)
	return &scene{t, b, inspect.Target{Segment: segment, LockPath: lockPath}}
}

// start starts an original that has not constructed yet.
func (s *scene) start() *port.Port {
	s.Helper()
	p, err := registry.Start(s.Context(), "python")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(p.Kill)
	return p
}

// open starts n originals and has each construct.
func (s *scene) open(n int) (ports []*port.Port) {
	s.Helper()
	for range n {
		p := s.start()
		s.construct(p)
		ports = append(ports, p)
	}
	return ports
}

func (s *scene) construct(p *port.Port) {
	s.Helper()
	if err := p.Open(s.target.Segment, s.target.LockPath); err != nil {
		s.Fatal(err)
	}
}

// call begins a call and does not wait for its return.
func (s *scene) call(count string, ports ...*port.Port) {
	s.Helper()
	for _, p := range ports {
		if err := p.Send("call " + count); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *scene) returned(ports ...*port.Port) {
	s.Helper()
	for _, p := range ports {
		if answer, err := p.Receive(); answer != port.Returned || err != nil {
			s.Fatalf("a call: %q, %v, want it to return", answer, err)
		}
	}
}

// await waits until the words are these.
func (s *scene) await(enter, exit, flag int32) {
	s.Helper()
	want := spec.Words{Enter: enter, Exit: exit, Flag: flag}
	deadline := time.Now().Add(port.Limit)
	for {
		got, err := s.barrier.Words()
		if got == want {
			return
		}
		if err != nil || time.Now().After(deadline) {
			s.Fatalf("the words are %v (%v), want %v", got, err, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// inLock starts an original, has it construct, and leaves it in its first call
// at CountEnter, with the lock.
func (s *scene) inLock(count string) *port.Port {
	s.Helper()
	p := s.start()
	for _, request := range []string{"white", "open " + s.target.Segment + " " + s.target.LockPath} {
		if _, err := p.Ask(request); err != nil {
			s.Fatal(err)
		}
	}
	for answer, request := "", "go"; !strings.HasSuffix(answer, " CountEnter"); {
		var err error
		if answer, err = p.Ask(request); err != nil {
			s.Fatal(err)
		}
		request = "go"
		if answer == port.Opened {
			request = "call " + count
		}
	}
	return p
}

func (s *scene) stop(p *port.Port) {
	s.Helper()
	if err := unix.Kill(p.PID(), unix.SIGSTOP); err != nil {
		s.Fatal(err)
	}
}

// inspect looks at the barrier; procs is the party count, or 0.
func (s *scene) inspect(procs int) *inspect.Report {
	s.Helper()
	return lookFor(s.T, s.target, inspect.Options{Procs: procs, For: 500 * time.Millisecond})
}

// A way is one way to make the original hang.
type way struct {
	name   string
	make   func(*scene)
	status inspect.Status
	cause  func(inspect.Cause) bool // the right one
}

func scenario(name string, died ...spec.Step) func(inspect.Cause) bool {
	return func(c inspect.Cause) bool {
		return c.Scenario == name && !slices.ContainsFunc(died, func(s spec.Step) bool { return !slices.Contains(c.Died, s) })
	}
}

func why(text string) func(inspect.Cause) bool {
	return func(c inspect.Cause) bool { return strings.Contains(c.Why, text) }
}

var ways = []way{
	{"killed in the wait", func(s *scene) {
		ports := s.open(3)
		s.call("3", ports[0])
		s.await(1, 3, 0)
		ports[0].Kill()
		s.call("3", ports[1:]...)
		s.returned(ports[1:]...)
		s.call("3", ports[1:]...)
		s.await(0, 2, 1)
	}, inspect.Hangs, scenario("crash", spec.AwaitFlag)},
	{"killed holding the lock", func(s *scene) {
		ports := s.open(2)
		p := s.inLock("3")
		p.Kill()
		s.call("3", ports...)
		s.await(2, 3, 0)
	}, inspect.Hangs, scenario("crash", spec.CountEnter)},
	{"stopped holding the lock", func(s *scene) {
		ports := s.open(2)
		s.stop(s.inLock("3"))
		s.call("3", ports...)
	}, inspect.HeldUp, why("holds the lock and is stopped")},
	{"one party too few", func(s *scene) {
		ports := s.open(2)
		s.call("3", ports...)
		s.await(2, 3, 0)
	}, inspect.Hangs, why("1 party has not called, of 3")},
	{"wrong party count", func(s *scene) {
		ports := s.open(3)
		s.call("3", ports[0])
		s.await(1, 3, 0)
		s.call("3", ports[1])
		s.await(2, 3, 0)
		s.call("2", ports[2])
		s.await(3, 3, 0)
	}, inspect.Hangs, scenario("disagreeing")},
	{"constructed late", func(s *scene) {
		ports := s.open(2)
		late := s.start()
		s.call("3", ports...)
		s.await(2, 3, 0)
		s.construct(late)
		s.returned(ports...)
		s.call("3", append(ports, late)...)
		s.await(0, 1, 1)
	}, inspect.Hangs, scenario("late-construction")},
}

// TestHazard_OriginalHangs makes the original hang in each way. Inspect, from
// outside, has the right cause among the first two.
func TestHazard_OriginalHangs(t *testing.T) {
	for i, w := range ways {
		if testing.Short() && i > 0 {
			break // the others differ in the words, as the scenes of TestUnit_Diagnosis do
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			w.make(s)
			for _, procs := range []int{3, 0} {
				r := s.inspect(procs)
				first := r.Causes[:min(2, len(r.Causes))]
				if r.Status != w.status || !slices.ContainsFunc(first, w.cause) {
					var text strings.Builder
					r.Text(&text)
					s.Errorf("--procs %d: status %q, want %q, and the right cause among the first two:\n%s", procs, r.Status, w.status, text.String())
				}
			}
		})
	}
}

// TestProc_OriginalThatWorks is the control: three originals call round after
// round.
func TestProc_OriginalThatWorks(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, p := range s.open(3) {
		go func() {
			for err := ctx.Err(); err == nil && ctx.Err() == nil; {
				err = p.Wait(ctx, 3)
			}
		}()
	}
	for range 3 {
		if r := s.inspect(3); r.Verdict != spec.Passed || len(r.Causes) > 0 {
			var text strings.Builder
			r.Text(&text)
			t.Errorf("a barrier that works: status %q, want moving:\n%s", r.Status, text.String())
		}
	}
}
