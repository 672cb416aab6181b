package accept

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// corruptions are ways to spoil a trace. Each returns false if it cannot be done
// to the event.
var corruptions = []struct {
	name, doc string
	spoil     func(random *rand.Rand, t *Trace, i int) bool
}{
	{"dropped", "an event is missing", func(_ *rand.Rand, t *Trace, i int) bool {
		t.Events = slices.Delete(t.Events, i, i+1)
		return true
	}},
	{"duplicated", "an event stands there twice", func(_ *rand.Rand, t *Trace, i int) bool {
		t.Events = slices.Insert(t.Events, i, t.Events[i])
		return true
	}},
	{"swapped", "two neighbouring events change places", func(_ *rand.Rand, t *Trace, i int) bool {
		if i+1 == len(t.Events) {
			return false
		}
		t.Events[i], t.Events[i+1] = t.Events[i+1], t.Events[i]
		return true
	}},
	{"renumbered", "two neighbouring steps under the lock change their numbers and places", func(_ *rand.Rand, t *Trace, i int) bool {
		for j := i + 1; j < len(t.Events) && t.Events[i].locked(); j++ {
			if t.Events[j].locked() {
				a, b := &t.Events[i], &t.Events[j]
				*a, *b = *b, *a
				a.Number, b.Number = b.Number, a.Number
				return true
			}
		}
		return false
	}},
	{"word", "a word has the value of another one", func(random *rand.Rand, t *Trace, i int) bool {
		w := wordsOf(&t.Events[i])
		k := random.IntN(3)
		was := *w[k]
		*w[k] = *w[(k+1+random.IntN(2))%3]
		return t.Events[i].locked() && *w[k] != was
	}},
	{"value", "a word is one more or less", func(random *rand.Rand, t *Trace, i int) bool {
		*wordsOf(&t.Events[i])[random.IntN(3)] += int32(2*random.IntN(2) - 1)
		return t.Events[i].locked()
	}},
	{"step", "an event has another label", func(random *rand.Rand, t *Trace, i int) bool {
		all := append(slices.Clone(spec.CallSteps), spec.WithdrawalSteps...)
		e, label := &t.Events[i], all[random.IntN(len(all))].String()
		other := Event{Label: label}
		if label == e.Label || other.locked() != e.locked() || (label == spec.Call.String()) != (e.Parties > 0) {
			return false
		}
		e.Label = label
		return true
	}},
	{"process", "an event is of another process", func(_ *rand.Rand, t *Trace, i int) bool {
		t.Events[i].Proc = (t.Events[i].Proc + 1) % t.Procs
		return t.Procs > 1
	}},
	{"interval", "a number or an end of an interval is one more or less", func(random *rand.Rand, t *Trace, i int) bool {
		e, by := &t.Events[i], int64(2*random.IntN(2)-1)
		if random.IntN(2) == 0 {
			e.Number += by
		} else {
			e.Until += by
		}
		return e.Number >= 0 && e.Until >= 0 && !(e.locked() && e.Until != 0)
	}},
	{"parties", "a call has another party count", func(_ *rand.Rand, t *Trace, i int) bool {
		t.Events[i].Parties++
		return t.Events[i].Label == spec.Call.String()
	}},
}

func wordsOf(e *Event) [3]*int32 { return [3]*int32{&e.Words.Enter, &e.Words.Exit, &e.Words.Flag} }

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
	for k, c := range corruptions {
		made, rejected, accepted := 0, 0, 0
		for seed := uint64(0); made < each; seed++ {
			random := rand.New(rand.NewPCG(seed, uint64(k)))
			trace := record(random, 1+random.IntN(3), 5+random.IntN(35), 0.1, 0.01*float64(random.IntN(2)))
			if !c.spoil(random, trace, random.IntN(len(trace.Events))) {
				continue
			}
			made++
			r := Check(trace).Rejection
			length := len(trace.Events)
			if r == nil {
				accepted++
			} else {
				rejected++
				length = r.Line - 2
			}
			if !behaviour(trace, length) {
				t.Fatalf("%s, seed %d: Check accepts the first %d events (%+v), and no order of them is a behaviour\n%s", c.name, seed, length, r, text(trace))
			}
			for shorter := range length {
				if seed%20 == 0 && Check(&Trace{trace.Procs, trace.Events[:shorter]}).Rejection != nil {
					t.Fatalf("%s, seed %d: Check accepts the first %d events, and rejects the first %d\n%s", c.name, seed, length, shorter, text(trace))
				}
			}
			if r != nil && behaviour(trace, length+1) {
				t.Fatalf("%s, seed %d: Check rejects with %+v, and the events up to this line are a behaviour\n%s", c.name, seed, r, text(trace))
			}
		}
		rows = append(rows, []string{c.name, c.doc, fmt.Sprint(made), fmt.Sprint(rejected), fmt.Sprint(accepted)})
	}
	golden.Part(t, "../../spec/TRACES.md", "table", "corruptions", golden.Table(rows))
}

// behaviour decides by the search whether the first events are one. The search
// takes the order of the numbers for granted.
func behaviour(t *Trace, events int) bool {
	c := newChecker(t, events)
	for i := range events {
		if c.inOrder(i) != nil {
			return false
		}
	}
	return search(&Trace{t.Procs, t.Events[:events]})
}
