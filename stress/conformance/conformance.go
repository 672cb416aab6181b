//go:build linux

// Package conformance checks ports: whether the barrier of a port is the one of
// spec/PROTOCOL.md. The checks are the conversation of spec/PORTS.md, the
// segment and the lock file, single calls, every edge of the state graph in
// lockstep with the model, and stress, alone and mixed with other
// implementations.
//
//	results, err := conformance.Run(ctx, conformance.Options{Port: "c", For: 2 * time.Second, Stall: 10 * time.Second})
//
// The checks themselves are checked: Scores runs them on the mutants of the C
// port, each of which they must find.
package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// Options say which port is checked, and how. A program that makes stress
// checks must call registry.ServeGo and run.ServeWorker first in main.
type Options struct {
	Port  string        // a name of package registry
	For   time.Duration // how long each stress run takes
	Stall time.Duration // as run.Config.Stall
	Seed  uint64        // of the pauses of the stress runs
	Limit time.Duration // how long the port may take for an answer outside of the tours; 0: port.Limit

	// Thorough gives the checks that try as much as their time allows ten times
	// as much, and waits for longer than any time limit of a port.
	Thorough bool

	// Without names the checks that are left out.
	Without []string

	// Progress, unless nil, is called with the name of each check that begins.
	Progress func(check string)

	brief bool // the checks that take their time take less of it

	turn *sync.Mutex // held during a stress run; nil: another may run at the same time
}

// A Check is one thing that a port must pass.
type Check struct {
	Name string
	Doc  string // what the port must do
	// run returns what the check has found. An error says why the port has not
	// passed, or is notAsked.
	run func(*subject) (found string, err error)
	// early checks begin with the first one, and mostly wait.
	early bool
}

// Checks lists all checks in the order in which Run makes them. What fails
// first says most about the mistake.
var Checks = []Check{
	{"conversation", "it opens, refuses requests that are not in place, and ends", conversation, false},
	{"attaching", "it writes nothing to a segment that it opens, and refuses a file that is no segment", attaching, false},
	{"tour n=2", "each edge of the state graph for 2 processes, step by step", tour(2), false},
	{"tour n=3", "each edge of the state graph for 3 processes, step by step", tour(3), false},
	{"lock file", "it locks the file that the path names now, and no child inherits the descriptor", lockFile, false},
	{"lock path", "it takes the whole path of the lock file, and creates the file if it is missing", lockPaths, false},
	{"lock open", "it opens a lock file that exists without O_CREAT", lockOpens, false},
	{"lock stays", "it leaves the lock file where it is, and makes no other", lockStays, false},
	{"lock contents", "it does not write to the lock file, nor truncate it", lockContents, false},
	{"lock replaced", "it locks the file that the path names now, between two calls and while it waits", replaced, false},
	{"alone", "calls of one party, one after the other", alone, false},
	{"in a call", "it refuses requests that are not in place, abandons if it can, and ends with its input", inCall, false},
	{"withdrawal", "a call that gives up undoes its effect on the words", withdrawal, false},
	{"sections", "black box: it writes under the lock only, leaves the right words at each release, and releases by unlocking", sections, false},
	{"lock unlinked", "black box: it looks at the link count after each lock", unlinkedWhile, false},
	{"schedules n=2", "black box: calls, give-ups and steps of one peer, with the words, the lock and the answers seen from outside", schedules(2), false},
	{"schedules n=3", "the same with two peers, as far as the time allows", schedules(3), true},
	{"out of range", "it refuses to call when a word is out of range; or it checks no words, as the original", outOfRange, false},
	{"polls", "each poll waits for its own word and for no other", polls, false},
	{"counts", "party counts up to 2³¹−1 that change between rounds, in each place of the round", counts, true},
	{"pace", "it looks at its word in each tick, though a peer wakes no process", pace, true},
	{"idle waits", "it does not burn a processor while it waits", idleWaits, true},
	{"prompt", "it sleeps for at most 50 ms before it answers a giveup, at the lock too", promptly, true},
	{"many calls", "it needs no more after many calls, and after many that gave up", manyCalls, false},
	{"long waits", "it waits at each place for as long as its peer stands still", longWaits, true},
	{"stress", "4 processes of it", stress(4), false},
	{"mixed with go", "2 processes of it, and 2 of package impl", stress(2, "go", "go"), false},
	{"unlinking peer", "3 processes of it, and one that keeps unlinking the lock file", stress(3, "go@unlink"), false},
}

// Version is the version of the JSON forms of Result and Score.
const Version = 2

// A Result is what one check has found.
type Result struct {
	Version int          `json:"version"`
	Port    string       `json:"port"`
	Check   string       `json:"check"`
	Verdict spec.Verdict `json:"verdict"` // passed, violated, or unfinished: not asked of this port
	Found   string       `json:"found"`   // in words
}

// notAsked is the error of a check that the port need not pass, and says why.
type notAsked string

func (why notAsked) Error() string { return string(why) }

// errUnable: the check is about a capability that the port lacks.
const errUnable = notAsked("the port does not offer it")

// A subject is a port under check.
type subject struct {
	ctx context.Context
	Options
	can     port.Capabilities
	startup time.Duration // how long the port took to start
	started *started      // by a check; nil: by none
}

// Run makes the checks and stops after the first that fails. It ends with ctx
// and leaves nothing behind. An error means that the port cannot be built or
// started at all, or is that of ctx; the results are then those of the checks
// so far.
func Run(ctx context.Context, o Options) (results []Result, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end() // kills every port that is left
	if o.Limit == 0 {
		o.Limit = port.Limit
	}
	s := &subject{ctx: ctx, Options: o}
	add := func(check string, verdict spec.Verdict, found string) {
		results = append(results, Result{Version, o.Port, check, verdict, found})
	}
	if !sound.Load() {
		if err := control(s); err != nil {
			return nil, err
		}
		sound.Store(true)
	}
	began := time.Now()
	p, err := s.start()
	s.startup = time.Since(began)
	switch {
	case accuses(err):
		add(Checks[0].Name, spec.Violated, err.Error())
		return results, control(s)
	case err != nil:
		return nil, err
	}
	s.can = p.Can()
	p.Kill()
	leftOut := o.leftOut()
	waiting := s.beginEarly(leftOut)
	defer waiting.end()
	defer end()
	for _, check := range Checks {
		if why, left := leftOut[check.Name]; left {
			add(check.Name, spec.Unfinished, why)
			continue
		}
		if o.Progress != nil {
			o.Progress(check.Name)
		}
		found, err := waiting.result(s, check)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		switch {
		case errors.As(err, new(notAsked)):
			add(check.Name, spec.Unfinished, err.Error())
		case accuses(err):
			if control := control(s); control != nil {
				return results, errors.Join(control, err)
			}
			add(check.Name, spec.Violated, err.Error())
			return results, nil
		case err != nil:
			return results, fmt.Errorf("check %q: %w", check.Name, err)
		default:
			add(check.Name, spec.Passed, found)
		}
	}
	return results, nil
}

// make makes the check. What accuses the port has the end of the standard error
// of the last process that has written one.
func (c Check) make(s *subject) (found string, err error) {
	own := *s
	own.started = &started{}
	found, err = c.run(&own)
	if accuses(err) && !errors.As(err, new(*port.Error)) { // which has that of its process
		if said := own.started.said(); said != "" {
			err = fmt.Errorf("%w%s", err, said)
		}
	}
	return found, err
}

// An outcome is what a check has returned.
type outcome struct {
	found string
	err   error
}

// underway has the outcomes of the checks that have begun early, by name.
type underway map[string]chan outcome

func (s *subject) beginEarly(leftOut map[string]string) underway {
	u := underway{}
	for _, check := range Checks {
		if _, left := leftOut[check.Name]; check.early && !left {
			done := make(chan outcome, 1)
			u[check.Name] = done
			go func() {
				found, err := check.make(s)
				done <- outcome{found, err}
			}()
		}
	}
	return u
}

// result makes the check, or waits for it if it has begun.
func (u underway) result(s *subject, check Check) (found string, err error) {
	if done, early := u[check.Name]; early {
		delete(u, check.Name)
		got := <-done
		return got.found, got.err
	}
	return check.make(s)
}

// end waits for the checks whose outcome is not wanted any more.
func (u underway) end() {
	for _, done := range u {
		<-done
	}
}

// budget is the time for a check that tries as much as it can.
func (s *subject) budget() time.Duration {
	switch {
	case s.Thorough:
		return 40 * time.Second
	case s.brief:
		return time.Second
	}
	return 4 * time.Second
}

// each calls do for 0 to n-1, several at the same time, and returns the first
// error in their order.
func (s *subject) each(n int, do func(i int) error) error {
	var all sync.WaitGroup
	some := make(chan bool, s.parallel())
	errs := make([]error, n)
	for i := range n {
		some <- true
		all.Go(func() {
			errs[i] = do(i)
			<-some
		})
	}
	all.Wait()
	return cmp.Or(errs...)
}

// sound: control has passed in this process.
var sound atomic.Bool

// start starts a process of the port.
func (s *subject) start() (*port.Port, error) {
	cmd, err := registry.Command(s.ctx, s.Port)
	if err != nil {
		return nil, err
	}
	return s.begin(cmd)
}

// begin starts cmd, which is a process of the port.
func (s *subject) begin(cmd *exec.Cmd) (*port.Port, error) {
	p, err := port.Start(s.ctx, s.Port, cmd, s.Limit)
	if err == nil && s.started != nil {
		s.started.add(p)
	}
	return p, err
}

// started has the last processes of the port that a check has started.
type started struct {
	mu   sync.Mutex
	list []*port.Port
}

func (s *started) add(p *port.Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 16 // more than live at a time
	s.list = append(s.list, p)
	s.list = s.list[max(0, len(s.list)-most):]
}

// said is the end of a message about the port: what the last process has
// written on its standard error that has written anything.
func (s *started) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range slices.Backward(s.list) {
		if said := port.Said(p.Stderr()); said != "" {
			return said
		}
	}
	return ""
}

// Passed reports whether all checks were made, or left out, and none has
// failed.
func Passed(results []Result) bool {
	return len(results) == len(Checks) && results[len(results)-1].Verdict != spec.Violated
}

// A Score is what the checks have found about one mutant of the C port.
type Score struct {
	Version int    `json:"version"`
	Mutant  string `json:"mutant"`
	By      string `json:"found_by"` // the check that failed; empty: the mutant passes
	Found   string `json:"found"`

	Asked bool `json:"-"` // a check was made, and not left out
}

// Scores makes the checks of each mutant, a name of registry.CMutants, in
// parallel except for the stress runs. It calls done after each mutant, from
// several goroutines. The scores are in the order of mutants. An error is the
// first one of Run; the scores are then those of the other mutants.
func Scores(ctx context.Context, o Options, mutants []string, done func()) (scores []Score, err error) {
	found := make([]Score, len(mutants))
	errs := make([]error, len(mutants))
	var all sync.WaitGroup
	var turn sync.Mutex
	some := make(chan bool, 8) // more would only wait for each other
	for i, mutant := range mutants {
		all.Go(func() {
			some <- true
			defer func() { <-some }()
			o := o
			o.Port, o.turn = "c@"+mutant, &turn
			results, err := Run(ctx, o)
			if errs[i] = err; err != nil {
				return
			}
			found[i] = score(mutant, results)
			done()
		})
	}
	all.Wait()
	for i, err := range errs {
		if err == nil {
			scores = append(scores, found[i])
		}
	}
	return scores, cmp.Or(errs...)
}

func score(mutant string, results []Result) Score {
	s := Score{Version: Version, Mutant: mutant}
	for _, r := range results {
		s.Asked = s.Asked || r.Verdict != spec.Unfinished
		if r.Verdict == spec.Violated {
			s.By, s.Found = r.Check, r.Found
		}
	}
	return s
}
