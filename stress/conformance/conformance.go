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

	"sharedbarrier/model/cli"
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

// Version is the version of the JSON forms of Result and Score.
const Version = 3

// Command is the command that checks the port in the same way. Without a port
// it checks the mutants.
func (o Options) Command() string {
	subject := "--mutants"
	if o.Port != "" {
		subject = "--port " + cli.Quoted(o.Port)
	}
	text := fmt.Sprintf("go run ./stress conformance %s --for %v --stall %v --limit %v --seed %d", subject, o.For, o.Stall, o.Limit, o.Seed)
	if o.Thorough {
		text += " --thorough"
	}
	for _, check := range o.Without {
		text += " --without " + cli.Quoted(check)
	}
	return text
}

// A Result is what one check has found. result.schema.json describes its JSON
// form.
type Result struct {
	Version  int          `json:"version"`
	Port     string       `json:"port"`
	Check    string       `json:"check"`
	Clauses  []Clause     `json:"clauses"`
	Verdict  spec.Verdict `json:"verdict"`             // passed, violated, or unfinished: not asked of this port
	NotAsked Reason       `json:"not_asked,omitempty"` // of an unfinished one
	Found    string       `json:"found"`               // in words
	Edges    *Edges       `json:"edges,omitempty"`     // of a tour
}

// A Reason says why a port was not asked for a check.
type Reason string

const (
	Deviation     Reason = "known deviation" // the port does not pass it, which is known
	NotApplicable Reason = "not applicable"  // the port lacks what the check is about
	NotHere       Reason = "not possible here"
	LeftOut       Reason = "left out" // by Options
)

// Edges are those of the state graph of a tour.
type Edges struct {
	Scenario string `json:"scenario"`
	Procs    int    `json:"procs"`
	Covered  int    `json:"covered"` // that the port has taken
	All      int    `json:"all"`
}

// notAsked is the error of a check that the port need not pass.
type notAsked struct {
	reason Reason
	why    string
}

func (n notAsked) Error() string { return n.why }

// errUnable: the check is about a capability that the port lacks.
var errUnable = notAsked{NotApplicable, "the port does not offer it"}

// A subject is a port under check.
type subject struct {
	ctx context.Context
	Options
	can     port.Capabilities
	startup time.Duration // how long the port took to start
	started *started      // by a check; nil: by none
	edges   *Edges        // of a check that is a tour; nil: not yet
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
	add := func(check Check, verdict spec.Verdict, got outcome) {
		r := Result{Version: Version, Port: o.Port, Check: check.Name, Clauses: check.Clauses, Verdict: verdict, Found: got.found, Edges: got.edges}
		if got.err != nil {
			r.Found = got.err.Error()
		}
		if n := (notAsked{}); errors.As(got.err, &n) {
			r.NotAsked = n.reason
		}
		results = append(results, r)
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
		add(Checks[0], spec.Violated, outcome{err: err})
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
			add(check, spec.Unfinished, outcome{err: why})
			continue
		}
		if o.Progress != nil {
			o.Progress(check.Name)
		}
		got := waiting.result(s, check)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		switch {
		case errors.As(got.err, new(notAsked)):
			add(check, spec.Unfinished, got)
		case accuses(got.err):
			if control := control(s); control != nil {
				return results, errors.Join(control, got.err)
			}
			add(check, spec.Violated, got)
			return results, nil
		case got.err != nil:
			return results, fmt.Errorf("check %q: %w", check.Name, got.err)
		default:
			add(check, spec.Passed, got)
		}
	}
	return results, nil
}

// An outcome is what a check has returned.
type outcome struct {
	found string
	edges *Edges
	err   error
}

// make makes the check. What accuses the port has the end of the standard error
// of the last process that has written one.
func (c Check) make(s *subject) outcome {
	own := *s
	own.started = &started{}
	found, err := c.run(&own)
	if accuses(err) && !errors.As(err, new(*port.Error)) { // which has that of its process
		if said := own.started.said(); said != "" {
			err = fmt.Errorf("%w%s", err, said)
		}
	}
	return outcome{found, own.edges, err}
}

// underway has the outcomes of the checks that have begun early, by name.
type underway map[string]chan outcome

func (s *subject) beginEarly(leftOut map[string]notAsked) underway {
	u := underway{}
	for _, check := range Checks {
		if _, left := leftOut[check.Name]; check.early && !left {
			done := make(chan outcome, 1)
			u[check.Name] = done
			go func() {
				done <- check.make(s)
			}()
		}
	}
	return u
}

// result makes the check, or waits for it if it has begun.
func (u underway) result(s *subject, check Check) outcome {
	if done, early := u[check.Name]; early {
		delete(u, check.Name)
		return <-done
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
