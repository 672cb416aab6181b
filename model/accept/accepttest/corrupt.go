package accepttest

import (
	"math/rand/v2"
	"slices"

	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
)

// A Corruption is a way to spoil a trace.
type Corruption struct {
	Name, Doc string
	// Spoil spoils event i. It returns false if it cannot be done to this event:
	// the trace may then be half spoilt.
	Spoil func(random *rand.Rand, t *accept.Trace, i int) bool
}

// Corruptions are the ways to spoil a trace.
var Corruptions = []Corruption{
	{"dropped", "an event is missing", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		t.Events = slices.Delete(t.Events, i, i+1)
		return true
	}},
	{"duplicated", "an event stands there twice", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		t.Events = slices.Insert(t.Events, i, t.Events[i])
		return true
	}},
	{"swapped", "two neighbouring events change places", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		if i+1 == len(t.Events) {
			return false
		}
		t.Events[i], t.Events[i+1] = t.Events[i+1], t.Events[i]
		return true
	}},
	{"renumbered", "two neighbouring steps under the lock change their numbers and places", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		for j := i + 1; j < len(t.Events) && t.Events[i].Locked(); j++ {
			if t.Events[j].Locked() {
				a, b := &t.Events[i], &t.Events[j]
				*a, *b = *b, *a
				a.Number, b.Number = b.Number, a.Number
				return true
			}
		}
		return false
	}},
	{"word", "a word has the value of another one", func(random *rand.Rand, t *accept.Trace, i int) bool {
		w := wordsOf(&t.Events[i])
		k := random.IntN(3)
		was := *w[k]
		*w[k] = *w[(k+1+random.IntN(2))%3]
		return t.Events[i].Locked() && *w[k] != was
	}},
	{"value", "a word is one more or less", func(random *rand.Rand, t *accept.Trace, i int) bool {
		*wordsOf(&t.Events[i])[random.IntN(3)] += int32(2*random.IntN(2) - 1)
		return t.Events[i].Locked()
	}},
	{"step", "an event has another label", func(random *rand.Rand, t *accept.Trace, i int) bool {
		all := append(slices.Clone(spec.CallSteps), spec.WithdrawalSteps...)
		e, label := &t.Events[i], all[random.IntN(len(all))].String()
		other := accept.Event{Label: label}
		if e.Lost || label == e.Label || other.Locked() != e.Locked() || (label == spec.Call.String()) != (e.Parties > 0) {
			return false
		}
		e.Label = label
		return true
	}},
	{"end", "a call ends in another way", func(random *rand.Rand, t *accept.Trace, i int) bool {
		ends := []string{accept.Returned, accept.Withdrawn, accept.Abandoned}
		was := slices.Index(ends, t.Events[i].Label)
		if was < 0 {
			return false
		}
		t.Events[i].Label = ends[(was+1+random.IntN(2))%3]
		return true
	}},
	{"process", "an event is of another process", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		t.Events[i].Proc = (t.Events[i].Proc + 1) % t.Procs
		return t.Procs > 1
	}},
	{"interval", "a number or an end of an interval is one more or less", func(random *rand.Rand, t *accept.Trace, i int) bool {
		e, by := &t.Events[i], int64(2*random.IntN(2)-1)
		if random.IntN(2) == 0 {
			e.Number += by
		} else {
			e.Until += by
		}
		return e.Number >= 0 && e.Until >= 0 && !(e.Locked() && e.Until != 0)
	}},
	{"gap", "all numbers from a step under the lock on are one more", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		from := t.Events[i].Number
		for j := range t.Events {
			for _, n := range []*int64{&t.Events[j].Number, &t.Events[j].Until} {
				if *n >= from {
					*n++
				}
			}
		}
		return t.Events[i].Locked()
	}},
	{"lost", "a step is lost that is not, or is not that is", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		e := &t.Events[i]
		s, err := spec.ParseStep(e.Label)
		was := e.Lost
		e.Lost = !was
		return was || err == nil && s.Keeps()
	}},
	{"parties", "a call has another party count", func(_ *rand.Rand, t *accept.Trace, i int) bool {
		t.Events[i].Parties++
		return t.Events[i].Label == spec.Call.String()
	}},
}

func wordsOf(e *accept.Event) [3]*int32 {
	return [3]*int32{&e.Words.Enter, &e.Words.Exit, &e.Words.Flag}
}
