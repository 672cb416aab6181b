//go:build linux

// Package conformance checks ports: whether the barrier of a port is the one of
// spec/PROTOCOL.md. The checks are the conversation of spec/PORTS.md, the segment
// and the lock file, single calls, every edge of the state graph in lockstep with
// the model, and stress, alone and mixed with other implementations.
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
	"slices"
	"sync"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// Options say which port is checked, and how. A program that makes stress checks
// must call registry.ServeGo and run.ServeWorker first in main.
type Options struct {
	Port  string        // a name of package registry
	For   time.Duration // how long each stress run takes
	Stall time.Duration // as run.Config.Stall
	Seed  uint64        // of the pauses of the stress runs
	Limit time.Duration // how long the port may take for an answer outside of the tours; 0: port.Limit

	// Without names the checks that are left out.
	Without []string

	// Progress, unless nil, is called with the name of each check that begins.
	Progress func(check string)

	turn *sync.Mutex // held during a stress run; nil: another may run at the same time
}

// A Check is one thing that a port must pass.
type Check struct {
	Name string
	Doc  string // what the port must do
	// run returns what the check has found. An error says why the port has not
	// passed, or is notAsked.
	run func(*subject) (found string, err error)
}

// Checks lists all checks in the order in which Run makes them. What fails first
// says most about the mistake.
var Checks = []Check{
	{"conversation", "it opens, refuses requests that are not in place, and ends", conversation},
	{"attaching", "it writes nothing to a segment that it opens, and refuses a file that is no segment", attaching},
	{"tour n=2", "each edge of the state graph for 2 processes, step by step", tour(2)},
	{"tour n=3", "each edge of the state graph for 3 processes, step by step", tour(3)},
	{"lock file", "it locks the file that the path names now, and no child inherits the descriptor", lockFile},
	{"alone", "calls of one party, one after the other", alone},
	{"in a call", "it refuses requests that are not in place, abandons if it can, and ends with its input", inCall},
	{"withdrawal", "a call that gives up undoes its effect on the words", withdrawal},
	{"out of range", "it refuses to call when a word is out of range; or it checks no words, as the original", outOfRange},
	{"no wake", "it notices what a peer writes that wakes no process", noWake},
	{"stress", "4 processes of it", stress(4)},
	{"mixed with go", "2 processes of it, and 2 of package impl", stress(2, "go", "go")},
	{"unlinking peer", "3 processes of it, and one that keeps unlinking the lock file", stress(3, "go@unlink")},
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
	can port.Capabilities
}

// Run makes the checks and stops after the first that fails. It ends with ctx and
// leaves nothing behind. An error means that the port cannot be built or started
// at all, or is that of ctx; the results are then those of the checks so far.
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
	p, err := s.start()
	var wrong *port.Error
	switch {
	case errors.As(err, &wrong):
		add(Checks[0].Name, spec.Violated, err.Error())
		return results, nil
	case err != nil:
		return nil, err
	}
	s.can = p.Can()
	p.Kill()
	for _, check := range Checks {
		if slices.Contains(o.Without, check.Name) {
			add(check.Name, spec.Unfinished, "left out")
			continue
		}
		if o.Progress != nil {
			o.Progress(check.Name)
		}
		found, err := check.run(s)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		switch {
		case errors.As(err, new(notAsked)):
			add(check.Name, spec.Unfinished, err.Error())
		case err != nil:
			add(check.Name, spec.Violated, err.Error())
			return results, nil
		default:
			add(check.Name, spec.Passed, found)
		}
	}
	return results, nil
}

// start starts a process of the port.
func (s *subject) start() (*port.Port, error) {
	cmd, err := registry.Command(s.ctx, s.Port)
	if err != nil {
		return nil, err
	}
	return port.Start(s.ctx, s.Port, cmd, s.Limit)
}

// Passed reports whether all checks were made, or left out, and none has failed.
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

// Scores makes the checks of each mutant, a name of registry.CMutants, in parallel
// except for the stress runs. It calls done after each mutant, from several
// goroutines. The scores are in the order of mutants. An error is the first one of
// Run; the scores are then those of the other mutants.
func Scores(ctx context.Context, o Options, mutants []string, done func()) (scores []Score, err error) {
	found := make([]Score, len(mutants))
	errs := make([]error, len(mutants))
	var all sync.WaitGroup
	var turn sync.Mutex
	for i, mutant := range mutants {
		all.Go(func() {
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
