//go:build linux

package conformance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// schedules returns the check of calls, give-ups and steps of its peers in
// every state in which a black-box port of n can come to rest. Several
// processes of the port share the work. The check ends when everything was
// tried, or after the time that Options give it.
func schedules(n int) func(*subject) (string, error) {
	return func(s *subject) (string, error) {
		cfg := model.Config{Scenario: spec.Withdraw, Procs: n}
		if !s.can.Withdraw {
			cfg.Scenario = spec.Reuse
		}
		t := &blackTour{cfg: cfg, withdraws: s.can.Withdraw, taken: map[string]bool{}, next: map[string][]edge{}}
		ctx, end := context.WithCancel(s.ctx)
		defer end()
		alone := *s
		alone.ctx = ctx
		var all sync.WaitGroup
		var once sync.Once
		var first error
		var late atomic.Bool
		for range s.parallel() {
			all.Go(func() {
				p := alone.playOn(alone.opened(), cfg)
				defer p.close()
				until := time.Now().Add(s.budget())
				if n == 2 {
					until = until.Add(10 * time.Minute) // all of it, on any machine
				}
				if s.can.Withdraw {
					// A give-up between two calls comes after a call.
					for _, c := range []choice{{request: fmt.Sprintf("call %d", n)}, {request: "giveup"}} {
						p.play(c)
						p.awaitRest()
					}
				}
				for p.err == nil && t.walk(p) {
					if time.Now().After(until) {
						late.Store(true)
						break
					}
				}
				if p.err != nil {
					once.Do(func() { first = p.err; end() })
				}
			})
		}
		all.Wait()
		if !late.Load() {
			return fmt.Sprintf("all %d moves", len(t.taken)), first
		}
		return fmt.Sprintf("%d moves", len(t.taken)), first
	}
}

// parallel is the number of processes of the port that share the work. Most of
// the time they wait. Of a port that is slow to start there are fewer.
func (s *subject) parallel() int {
	if s.startup > 200*time.Millisecond {
		return 2
	}
	return 6
}

// A blackTour is what the processes have tried.
type blackTour struct {
	cfg       model.Config
	withdraws bool

	mu    sync.Mutex
	taken map[string]bool   // by node and choice
	next  map[string][]edge // by node
}

// An edge is a choice and where the port may come to rest after it.
type edge struct {
	choice
	name string
	to   [][]possible
}

// edges returns the edges from states.
func (t *blackTour) edges(node string, states []possible) []edge {
	list, known := t.next[node]
	if !known {
		for _, c := range choices(t.cfg, states, t.withdraws) {
			list = append(list, edge{c, node + c.String(), byWords(t.cfg, after(t.cfg, states, c))})
		}
		t.next[node] = list
	}
	return list
}

// way returns the first choice on a shortest way to one that was not taken. It
// takes note of that one.
func (t *blackTour) way(states []possible) (path []choice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	type visit struct {
		states []possible
		from   int
		by     choice
	}
	visits := []visit{{states: states, from: -1}}
	seen := map[string]bool{key(states): true}
	for i := 0; i < len(visits); i++ {
		node := key(visits[i].states)
		for _, e := range t.edges(node, visits[i].states) {
			if !t.taken[e.name] {
				t.taken[e.name] = true
				path = []choice{e.choice}
				for at := i; visits[at].from >= 0; at = visits[at].from {
					path = append([]choice{visits[at].by}, path...)
				}
				return path
			}
			for _, to := range e.to {
				if k := key(to); !seen[k] {
					seen[k] = true
					visits = append(visits, visit{to, i, e.choice})
				}
			}
		}
	}
	return nil
}

// walk leads p to a choice that was not taken, and has it happen. It reports
// whether there was one.
func (t *blackTour) walk(p *play) bool {
	path := t.way(p.states)
	for _, c := range path {
		if !enabled(choices(t.cfg, p.states, t.withdraws), c) {
			break // the port has gone another way; look again from here
		}
		p.play(c)
		p.awaitRest()
		if p.err != nil {
			return false
		}
	}
	return len(path) > 0
}

func enabled(list []choice, c choice) bool {
	for _, d := range list {
		if d == c {
			return true
		}
	}
	return false
}
