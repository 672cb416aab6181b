//go:build linux

// Package kit is what a port has to pass: the conversation of
// spec/PORTS.md; segments that are none, words out of range and a
// peer that wakes nobody; the tour of the state graph in lockstep with the model;
// a lock file that was unlinked; and stress, alone and mixed with others.
//
//	results, err := conformance.Run(ctx, conformance.Trial{Port: "c", For: 2 * time.Second})
package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

// A Trial says which port is to be checked, and how long.
type Trial struct {
	Port  string        // its name
	For   time.Duration // how long each stress run takes
	Stall time.Duration // as run.Config.Stall
	Seed  uint64        // of the pauses

	// Without names checks that are left out: those that the port is known not
	// to pass.
	Without []string

	// Progress, unless nil, is called with the name of each check that begins.
	Progress func(check string)
}

// A Check is one thing that a port has to pass.
type Check struct {
	Name string
	Asks string // what it asks of the port
	// run returns what was found, in words, and an error that says why the port
	// has not passed.
	run func(ctx context.Context, t Trial, can port.Capabilities) (found string, err error)
}

// Checks are all checks, in the order in which they are made: what fails
// first says most about the mistake.
var Checks = []Check{
	{"conversation", "it says hello, opens, refuses what is not in place, and ends", conversation},
	{"attaching", "it writes nothing to a segment that it opens, and refuses what is none", attaching},
	{"tour n=2", "each edge of the state graph for 2 processes, step by step", tour(2)},
	{"tour n=3", "each edge of the state graph for 3 processes, step by step", tour(3)},
	{"lock file", "it takes the lock file that the path names now, when that was made anew, and lets no child inherit it", lockFile},
	{"alone", "calls of one party, one after the other", alone},
	{"in a call", "it refuses what is not in place, abandons if it can, and ends with its input", inCall},
	{"withdrawal", "a call that gives up leaves as if it had never come", withdrawal},
	{"out of range", "it calls with no word out of range, or it checks none, as the original does", outOfRange},
	{"no wake", "it notices what a peer writes that wakes nobody", noWake},
	{"stress", "4 processes of it", stress(4)},
	{"mixed with go", "2 processes of it, and 2 of package impl", stress(2, "go", "go")},
	{"unlinking peer", "3 processes of it, and one that keeps unlinking the lock file", stress(3, "go@unlink")},
}

// Version is the version of the JSON forms of Result and Score.
const Version = 1

// A Result is what one check has found.
type Result struct {
	Version int          `json:"version"`
	Port    string       `json:"port"`
	Check   string       `json:"check"`
	Verdict spec.Verdict `json:"verdict"` // passed or violated; unfinished: the port does not do what is asked, and need not
	Found   string       `json:"found"`   // in words
}

// notAsked says why a check is not for the port: it need not do what is asked.
type notAsked string

func (why notAsked) Error() string { return string(why) }

// errUnable: the port has not the capability that the check is about.
const errUnable = notAsked("the port does not offer it")

// Run makes the checks until one fails. An error means that the port cannot be
// had (no compiler, say), or that ctx has ended.
func Run(ctx context.Context, t Trial) (results []Result, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end() // and with it whatever port is left
	can, err := capabilities(ctx, t.Port)
	var wrong *port.Error
	switch {
	case errors.As(err, &wrong):
		return []Result{{Version, t.Port, Checks[0].Name, spec.Violated, err.Error()}}, nil
	case err != nil:
		return nil, err
	}
	for _, check := range Checks {
		if slices.Contains(t.Without, check.Name) {
			results = append(results, Result{Version, t.Port, check.Name, spec.Unfinished, "left out"})
			continue
		}
		if t.Progress != nil {
			t.Progress(check.Name)
		}
		found, err := check.run(ctx, t, can)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		var why notAsked
		switch {
		case errors.As(err, &why):
			results = append(results, Result{Version, t.Port, check.Name, spec.Unfinished, err.Error()})
		case err != nil:
			return append(results, Result{Version, t.Port, check.Name, spec.Violated, err.Error()}), nil
		default:
			results = append(results, Result{Version, t.Port, check.Name, spec.Passed, found})
		}
	}
	return results, nil
}

// Passed reports whether a port with the results has passed.
func Passed(results []Result) bool {
	return len(results) == len(Checks) && results[len(results)-1].Verdict != spec.Violated
}

// A Score is what the kit has found about one mutant of a port.
type Score struct {
	Version int    `json:"version"`
	Mutant  string `json:"mutant"`
	By      string `json:"found_by"` // the check that it did not pass; empty: it has passed all, and the kit has a hole
	Found   string `json:"found"`
}

// ScoreOf returns the score of a mutant with the results.
func ScoreOf(mutant string, results []Result) Score {
	if last := results[len(results)-1]; last.Verdict == spec.Violated {
		return Score{Version, mutant, last.Check, last.Found}
	}
	return Score{Version: Version, Mutant: mutant}
}

func capabilities(ctx context.Context, name string) (port.Capabilities, error) {
	p, err := registry.Start(ctx, name)
	if err != nil {
		return port.Capabilities{}, err
	}
	defer p.Kill()
	return p.Can(), nil
}

// tour returns the check of each edge of the state graph for n processes, those
// of withdrawal included if the port withdraws.
func tour(n int) func(context.Context, Trial, port.Capabilities) (string, error) {
	return func(ctx context.Context, t Trial, can port.Capabilities) (string, error) {
		if !can.White {
			return "", errUnable
		}
		cfg := model.Config{Scenario: spec.Reuse, Procs: n}
		if can.Withdraw {
			cfg.Scenario = spec.Withdraw
		}
		g := lockstep.NewGraph(cfg)
		walk, err := g.Tour()
		if err != nil {
			return "", err
		}
		r := lockstep.Driver{Config: cfg, Start: func(int, bool) (lockstep.Party, error) {
			return lockstep.StartPort(ctx, t.Port, false)
		}}
		for range n {
			r.Ports = append(r.Ports, t.Port)
		}
		rep, err := r.Tour(ctx, g, walk)
		switch {
		case err != nil:
			return "", err
		case rep.Verdict != spec.Passed:
			return "", fmt.Errorf("after %d steps: %s", rep.Steps, rep.Why)
		case rep.Covered != rep.Edges:
			return "", fmt.Errorf("only %d of %d edges were taken", rep.Covered, rep.Edges)
		}
		return fmt.Sprintf("%d of %d edges", rep.Covered, rep.Edges), nil
	}
}

// stress returns the check of so many processes of the port together with
// others.
func stress(own int, others ...string) func(context.Context, Trial, port.Capabilities) (string, error) {
	return func(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
		var ports []string
		for range own {
			ports = append(ports, t.Port)
		}
		ports = append(ports, others...)
		rep, err := run.Run(ctx, run.Config{
			Procs: len(ports), Ports: ports, For: t.For, Stall: t.Stall, Seed: t.Seed, Pauses: true,
		})
		switch {
		case err != nil:
			return "", err
		case rep.Verdict == spec.Violated:
			return "", fmt.Errorf("early exit: %v", *rep.Early)
		case rep.Verdict == spec.Hang:
			return "", fmt.Errorf("hang: %s", rep.Hang.Why)
		case rep.Rounds == 0 && ctx.Err() == nil:
			return "", errors.New("not one round was completed")
		}
		return fmt.Sprintf("%d rounds", rep.Rounds), nil
	}
}
