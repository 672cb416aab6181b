//go:build linux

package inspect

import "slices"

// fold returns q with at most so many processes. Of a larger one it returns a
// smaller one of the same shape: what is near 0 stays, what is near the number
// of processes stays as near, and what is between becomes the middle. Parties
// about which the same is known are interchangeable; of the largest such class
// some are left out. The model is symmetric in them, and its steps compare a
// word only with −1, 0 and the party count. It returns false if no class is
// large enough.
func (q question) fold(most int) (question, bool) {
	if q.procs <= most {
		return q, len(q.parties) <= q.procs
	}
	small := q
	small.procs = most
	f := func(v int) int { return folded(v, q.procs, most) }
	small.words.Enter, small.words.Exit = int32(f(int(q.words.Enter))), int32(f(int(q.words.Exit)))
	small.parties = slices.Clone(q.parties)
	for want := f(len(q.parties)); len(small.parties) > want; {
		i := commonest(small.parties)
		if i < 0 {
			return q, false
		}
		small.parties = slices.Delete(small.parties, i, i+1)
	}
	return small, len(small.parties) <= small.procs
}

// folded returns what stands for v of n among most.
func folded(v, n, most int) int {
	low, high := (most-1)/2, most/2
	switch {
	case v < low:
		return v
	case v > n-high:
		return v - n + most
	default:
		return low
	}
}

// commonest returns one of the parties of the largest class of two or more; -1:
// there is none.
func commonest(parties []party) int {
	best, most := -1, 1
	count := map[party]int{}
	for i, p := range parties {
		if count[p]++; count[p] > most {
			best, most = i, count[p]
		}
	}
	return best
}
