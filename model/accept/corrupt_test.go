package accept_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/spec/golden"
)

// TestGolden_Corruptions spoils small traces in each way, and has a search
// through every order judge what Check says: a trace that is accepted is a
// behaviour, and of one that is rejected the prefix up to the event that Check
// names is none, and the prefix before it is one, as are all shorter ones.
func TestGolden_Corruptions(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of traces: seconds")
	}
	const each = 2000
	rows := [][]string{{"corruption", "what", "made", "rejected", "accepted: still a behaviour"}}
	for k, c := range accepttest.Corruptions {
		made, rejected, accepted := 0, 0, 0
		for seed := uint64(0); made < each; seed++ {
			random := rand.New(rand.NewPCG(seed, uint64(k)))
			trace := accepttest.Record(random, walk(random, seed))
			if !c.Spoil(random, trace, random.IntN(len(trace.Events))) {
				continue
			}
			made++
			r := accept.Check(trace).Rejection
			length := len(trace.Events)
			if r == nil {
				accepted++
			} else {
				rejected++
				length = r.Line - 2
			}
			if !behaviour(trace, length) {
				t.Fatalf("%s, seed %d: Check accepts the first %d events (%+v), and no order of them is a behaviour\n%s", c.Name, seed, length, r, accepttest.Text(trace))
			}
			for shorter := range length {
				if c.Name == "gap" { // a death after it may explain it
					break
				}
				if seed%20 == 0 && accept.Check(&accept.Trace{Procs: trace.Procs, Events: trace.Events[:shorter]}).Rejection != nil {
					t.Fatalf("%s, seed %d: Check accepts the first %d events, and rejects the first %d\n%s", c.Name, seed, length, shorter, accepttest.Text(trace))
				}
			}
			if r != nil && behaviour(trace, length+1) {
				t.Fatalf("%s, seed %d: Check rejects with %+v, and the events up to this line are a behaviour\n%s", c.Name, seed, r, accepttest.Text(trace))
			}
		}
		rows = append(rows, []string{c.Name, c.Doc, fmt.Sprint(made), fmt.Sprint(rejected), fmt.Sprint(accepted)})
	}
	golden.Part(t, "../../spec/TRACES.md", "table", "corruptions", golden.Table(rows))
}

// walk is a short one, in which a process gives up and may die, and in every third
// another one records for those that die. In every fifth the calls pass a party
// count that is too small.
func walk(random *rand.Rand, seed uint64) accepttest.Walk {
	w := accepttest.Walk{Procs: 1 + random.IntN(3), Events: 5 + random.IntN(35), GiveUps: 0.1, Deaths: 0.01 * float64(random.IntN(2))}
	if seed%3 == 0 {
		w.Losses = 0.1
	}
	if seed%5 == 0 {
		w.Parties = max(1, w.Procs-1)
	}
	return w
}

// behaviour decides by the search whether the first events are one. The search
// takes the order of the numbers for granted.
func behaviour(t *accept.Trace, events int) bool {
	return accept.InOrder(t, events) && search(&accept.Trace{Procs: t.Procs, Events: t.Events[:events]})
}
