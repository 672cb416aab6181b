//go:build linux

package group_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// A judge finds in the calls of a group, in whatever order they are reported,
// what no schedule of a barrier has: a call that returns nil before each rank
// has begun a call of the round, and a round of which one call returns nil and
// another one an error.
type judge struct {
	ranks   int
	foreign []*call // of the party that is no member, in their order
	rounds  map[uint64]*round
	cut     []*call // of members that were killed
	passed  int     // rounds of which some call has returned nil
	skipped int     // calls of the foreign party in no such round
	faults  []string
}

// A call took from begin to end, or until its process was seen dead.
type call struct {
	rank       int
	begin, end int64
}

const pending = math.MaxInt64

type round struct {
	complete []call
	broken   []int // ranks
}

func newJudge(ranks int) *judge { return &judge{ranks: ranks, rounds: map[uint64]*round{}} }

func (j *judge) round(number uint64) *round {
	if j.rounds[number] == nil {
		j.rounds[number] = &round{}
	}
	return j.rounds[number]
}

func (j *judge) returned(number uint64, c call) {
	r := j.round(number)
	r.complete = append(r.complete, c)
}

func (j *judge) broke(number uint64, rank int) {
	r := j.round(number)
	r.broken = append(r.broken, rank)
}

// conclude judges the rounds below the limit, of which all calls are reported.
func (j *judge) conclude(limit uint64, foreign bool) {
	var list []uint64
	for number := range j.rounds {
		if number < limit {
			list = append(list, number)
		}
	}
	slices.Sort(list)
	for _, number := range list {
		r := j.rounds[number]
		delete(j.rounds, number)
		if len(r.complete) > 0 {
			j.passed++
			j.check(number, r, foreign)
		}
	}
}

func (j *judge) check(number uint64, r *round, foreign bool) {
	fault := func(what string, args ...any) {
		j.faults = append(j.faults, fmt.Sprintf("round %d: ", number)+fmt.Sprintf(what, args...))
	}
	if len(r.broken) > 0 {
		fault("%d calls return nil, and ranks %v an error", len(r.complete), r.broken)
	}
	first, last := int64(pending), int64(0) // the first return, and the last begin
	has := map[int]int{}
	for _, c := range r.complete {
		first, last = min(first, c.end), max(last, c.begin)
		has[c.rank]++
	}
	for rank := range j.ranks {
		switch {
		case has[rank] > 1:
			fault("rank %d returns nil %d times", rank, has[rank])
		case has[rank] == 0:
			i := slices.IndexFunc(j.cut, func(c *call) bool { return c.rank == rank && c.begin <= first && c.end >= last })
			if i < 0 {
				fault("early exit: a call returns nil, and rank %d has no call at that time", rank)
				continue
			}
			last = max(last, j.cut[i].begin)
			j.cut = slices.Delete(j.cut, i, i+1)
		}
	}
	if first < last {
		fault("early exit: a call returns nil %d ns before another one begins", last-first)
	}
	if !foreign {
		return
	}
	for len(j.foreign) > 0 && j.foreign[0].end < last {
		j.foreign, j.skipped = j.foreign[1:], j.skipped+1
	}
	if len(j.foreign) == 0 || j.foreign[0].begin > first {
		fault("early exit: the foreign party has no call at that time")
		return
	}
	j.foreign = j.foreign[1:]
}

// TestHazard_Judge: the judge finds each fault, and accepts the control.
func TestHazard_Judge(t *testing.T) {
	for _, tc := range []struct {
		name    string
		want    int
		history func(j *judge)
	}{
		{"control: all meet", 0, func(j *judge) {
			j.returned(1, call{0, 1, 5})
			j.returned(1, call{1, 4, 6})
			j.foreign = append(j.foreign, &call{2, 2, 7})
		}},
		{"control: one is killed in its call", 0, func(j *judge) {
			j.returned(1, call{0, 1, 5})
			j.cut = append(j.cut, &call{1, 4, 6})
			j.foreign = append(j.foreign, &call{2, 2, pending})
		}},
		{"control: all are told", 0, func(j *judge) { j.broke(1, 0); j.broke(1, 1) }},
		{"one returns before another begins", 1, func(j *judge) {
			j.returned(1, call{0, 1, 3})
			j.returned(1, call{1, 4, 6})
			j.foreign = append(j.foreign, &call{2, 2, 7})
		}},
		{"one returns without another", 1, func(j *judge) {
			j.returned(1, call{0, 1, 3})
			j.foreign = append(j.foreign, &call{2, 2, 7})
		}},
		{"one returns, and the other was killed before it began", 1, func(j *judge) {
			j.returned(1, call{0, 7, 9})
			j.cut = append(j.cut, &call{1, 4, 6})
			j.foreign = append(j.foreign, &call{2, 2, 9})
		}},
		{"all or none", 1, func(j *judge) {
			j.returned(1, call{0, 1, 5})
			j.returned(1, call{1, 1, 5})
			j.broke(1, 1)
			j.foreign = append(j.foreign, &call{2, 2, 7})
		}},
		{"the foreign party has not come", 1, func(j *judge) {
			j.returned(1, call{0, 1, 5})
			j.returned(1, call{1, 1, 5})
			j.foreign = append(j.foreign, &call{2, 6, 7})
		}},
		{"a round twice", 1, func(j *judge) {
			j.returned(1, call{0, 1, 5})
			j.returned(1, call{0, 1, 5})
			j.returned(1, call{1, 1, 5})
			j.foreign = append(j.foreign, &call{2, 2, 7})
		}},
	} {
		j := newJudge(2)
		tc.history(j)
		if j.conclude(2, true); len(j.faults) != tc.want {
			t.Errorf("%s: got %q, want %d faults", tc.name, j.faults, tc.want)
		}
	}
}
