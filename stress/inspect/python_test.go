//go:build linux

package inspect_test

import (
	"context"
	"flag"
	"fmt"
	"regexp"
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

// A scene is a barrier of so many parties, and its processes.
type scene struct {
	*testing.T
	port    string // of the parties
	n       int
	barrier *impl.Barrier
	target  inspect.Target
}

// sweep also runs what takes minutes: see sweep_test.go.
var sweep = flag.Bool("sweep", false, "inspect hundreds of barriers that work, and each hang twenty times, under load")

const original = "python" // the published original, which constructs when it opens

func newScene(t *testing.T, port string, n int) *scene {
	t.Helper()
	porttest.Need(t, original, port)
	b, segment, lockPath := porttest.NewBarrier(t)
	return &scene{t, port, n, b, inspect.Target{Segment: segment, LockPath: lockPath}}
}

// start starts a port that has not opened the barrier yet.
func (s *scene) start(name string) *port.Port {
	s.Helper()
	p, err := registry.Start(s.Context(), name)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(p.Kill)
	return p
}

// open starts n parties and has each open the barrier.
func (s *scene) open(n int) (ports []*port.Port) {
	s.Helper()
	for range n {
		p := s.start(s.port)
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
func (s *scene) call(count int, ports ...*port.Port) {
	s.Helper()
	for _, p := range ports {
		if err := p.Send(fmt.Sprint("call ", count)); err != nil {
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
func (s *scene) await(enter, exit int, flag int32) {
	s.Helper()
	want := spec.Words{Enter: int32(enter), Exit: int32(exit), Flag: flag}
	deadline := time.Now().Add(10 * port.Limit) // a slow machine takes long; a party that refuses never comes
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

// inLock starts a party, has it open the barrier, and leaves it in its first
// call at CountEnter, with the lock.
func (s *scene) inLock() *port.Port {
	s.Helper()
	p := s.start(s.port)
	ask := func(request string) string {
		answer, err := p.Ask(request)
		if err != nil || strings.HasPrefix(answer, "error") {
			s.Fatalf("%s: %q, %v", request, answer, err)
		}
		return answer
	}
	ask("white")
	for answer := ask("open " + s.target.Segment + " " + s.target.LockPath); !strings.HasSuffix(answer, " CountEnter"); {
		request := "go"
		if answer == port.Opened {
			request = fmt.Sprint("call ", s.n)
		}
		answer = ask(request)
	}
	return p
}

func (s *scene) stop(p *port.Port) {
	s.Helper()
	if err := unix.Kill(p.PID(), unix.SIGSTOP); err != nil {
		s.Fatal(err)
	}
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
		ports := s.open(s.n)
		s.call(s.n, ports[0])
		s.await(1, s.n, 0)
		ports[0].Kill()
		s.call(s.n, ports[1:]...)
		s.returned(ports[1:]...)
		s.call(s.n, ports[1:]...)
		s.await(0, s.n-1, 1)
	}, inspect.Hangs, scenario("crash", spec.AwaitFlag)},
	{"killed holding the lock", func(s *scene) {
		ports := s.open(s.n - 1)
		p := s.inLock()
		p.Kill()
		s.call(s.n, ports...)
		s.await(s.n-1, s.n, 0)
	}, inspect.Hangs, scenario("crash", spec.CountEnter)},
	{"stopped holding the lock", func(s *scene) {
		ports := s.open(s.n - 1)
		s.stop(s.inLock())
		s.call(s.n, ports...)
	}, inspect.HeldUp, why("holds the lock and is stopped")},
	{"one party too few", func(s *scene) {
		ports := s.open(s.n - 1)
		s.call(s.n, ports...)
		s.await(s.n-1, s.n, 0)
	}, inspect.Hangs, why("1 party has not called, of ")},
	{"wrong party count", func(s *scene) {
		wrong := s.start(original) // others refuse a count that the words do not allow
		s.construct(wrong)
		s.call(s.n, s.open(s.n-1)...)
		s.await(s.n-1, s.n, 0)
		s.call(s.n-1, wrong)
		s.await(s.n, s.n, 0)
	}, inspect.Hangs, scenario("disagreeing")},
	{"constructed late", func(s *scene) {
		ports := s.open(s.n - 1)
		late := s.start(original)
		s.call(s.n, ports...)
		s.await(s.n-1, s.n, 0)
		s.construct(late)
		s.returned(ports...)
		s.call(s.n, append(ports, late)...)
		s.await(0, s.n-2, 1)
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
			s := newScene(t, original, 3)
			w.make(s)
			for _, procs := range []int{3, 0} {
				s.wantDiagnosis(w, procs)
			}
		})
	}
}

// TestHazard_LateCaller: the last process constructs while the others wait for
// it, and calls at once. What it leaves, other causes leave more often; that it
// started later than the others tells of it.
func TestHazard_LateCaller(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, original, n)
			ports := s.open(n - 1)
			s.call(n, ports...)
			s.await(n-1, n, 0)
			<-time.After(1100 * time.Millisecond) // what tells of it is when the process started
			late := s.start(original)
			for _, p := range ports {
				s.stop(p) // between two polls: the flag is up for less than a tick
			}
			s.construct(late)
			s.call(n, late)
			s.await(1, n, 0)
			for _, p := range ports {
				if err := unix.Kill(p.PID(), unix.SIGCONT); err != nil {
					t.Fatal(err)
				}
			}
			for _, procs := range []int{n, 0} {
				s.wantDiagnosis(way{status: inspect.Waiting, cause: scenario("late-construction")}, procs)
			}
		})
	}
}

// TestHazard_ManyHang is the same with more parties than the model can explore:
// each way with 16 or 64 of them.
func TestHazard_ManyHang(t *testing.T) {
	if testing.Short() {
		t.Skip("scenes of TestUnit_Diagnosis have as many")
	}
	for _, n := range []int{16, 64} {
		for i, w := range ways {
			if (n == 64) != (i == 0 || i == 5) && !*sweep {
				continue
			}
			t.Run(fmt.Sprintf("%d/%s", n, w.name), func(t *testing.T) {
				s := newScene(t, "c", n)
				w.make(s)
				s.wantDiagnosis(w, n)
			})
		}
	}
}

// wantDiagnosis looks at the barrier, and reports an error unless the status is
// that of the way and the right cause is among the first two. The party count is
// procs, or not known: 0.
func (s *scene) wantDiagnosis(w way, procs int) *inspect.Report {
	s.Helper()
	r := lookFor(s.T, s.target, inspect.Options{Procs: procs, For: 500 * time.Millisecond})
	first := r.Causes[:min(2, len(r.Causes))]
	if r.Status != w.status || !slices.ContainsFunc(first, w.cause) {
		var text strings.Builder
		r.Text(&text)
		s.Errorf("--procs %d: status %q, want %q, and the right cause among the first two:\n%s", procs, r.Status, w.status, text.String())
	}
	return r
}

// TestProc_MissingRanks: of 64 processes with a rank each, four have not come.
// The report has their ranks.
func TestProc_MissingRanks(t *testing.T) {
	if testing.Short() {
		t.Skip("TestUnit_MissingRanks has fewer")
	}
	b, segment, lockPath := porttest.NewBarrier(t)
	ports := 0
	porttest.Need(t, "c")
	for rank := range 64 {
		if rank == 2 || 5 <= rank && rank <= 7 {
			continue
		}
		t.Setenv("LOCAL_RANK", fmt.Sprint(rank))
		p, err := registry.Start(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		err = p.Open(segment, lockPath)
		if err == nil {
			err = p.Send("call 64")
		}
		if err != nil {
			t.Fatal(err)
		}
		ports++
	}
	settled(t, b, int32(ports))
	r := lookFor(t, inspect.Target{Segment: segment, LockPath: lockPath}, inspect.Options{For: short})
	var text strings.Builder
	r.Text(&text)
	for _, row := range []string{"missing +rank 2, 5-7 of 64", "alive +rank 0-1, 3-4, 8-63"} {
		if !regexp.MustCompile("(?m)^" + row + "$").MatchString(text.String()) {
			t.Errorf("want a row like %q in:\n%s", row, text.String())
		}
	}
}

// TestProc_OriginalThatWorks is the control: three originals call round after
// round.
func TestProc_OriginalThatWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := newScene(t, original, 3)
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
		if r := seenToMove(t, s.target, inspect.Options{Procs: 3, For: 500 * time.Millisecond}); r.Verdict != spec.Passed || len(r.Causes) > 0 {
			t.Errorf("a barrier that works: %v, causes %+v; want passed, none", r.Verdict, r.Causes)
		}
	}
}
