//go:build linux

package trace

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"sharedbarrier/spec"
)

// Of the latencies that several workers ask about at once, those are slow at
// last that are longest; and few are, of many.
func TestUnit_IsSlow(t *testing.T) {
	r := NewRecorder(memory(t, 1), 1)
	const workers, each = 4, 10000
	slow := make([][]int64, workers)
	all := rand.New(rand.NewPCG(1, 2)).Perm(workers * each)
	var asking sync.WaitGroup
	for w := range workers {
		asking.Go(func() {
			for _, latency := range all[w*each : (w+1)*each] {
				if r.IsSlow(int64(latency)) {
					slow[w] = append(slow[w], int64(latency))
				}
			}
		})
	}
	asking.Wait()
	found := slices.Concat(slow...)
	slices.Sort(found)
	const longest = workers * each
	if n := len(found); n < Slowest || n > 200 || !slices.Equal(found[n-Slowest:], []int64{longest - 3, longest - 2, longest - 1}) {
		t.Errorf("of the latencies below %d, %d are slow: %v; want few, and the longest", longest, n, found)
	}
	if r.IsSlow(longest-3) || !r.IsSlow(longest) {
		t.Error("a latency as long as the third is slow, or a longer one is not")
	}
}

// What the workers did in a round begins with its first step, and has steps of
// the rounds beside it.
func TestUnit_During(t *testing.T) {
	rec := Recording{Version: 1, Now: 100}
	for _, r := range []struct {
		worker, round int64
		label         string
		at            int64
	}{
		{0, 6, "LockExit", 10}, {1, 6, "LockExit", 20}, {0, 6, "returned", 30}, {0, 7, spec.Call.String(), 40},
		{1, 6, "returned", 50}, {1, 7, spec.Call.String(), 60}, {0, 8, spec.Call.String(), 90}, {1, 8, spec.Call.String(), 110}, // while the recorder is read
	} {
		rec.Records = append(rec.Records, Record{Worker: int(r.worker), Round: r.round, Label: r.label, At: r.at, Last: r.at})
	}
	rec.Records[1].Last = 45 // its last attempt is in round 7 of the other
	var got []int64
	for _, r := range rec.During(7).Records {
		got = append(got, r.At)
	}
	if want := []int64{20, 40, 50, 60, 90}; !slices.Equal(got, want) {
		t.Errorf("round 7 has the records of the times %v, want %v", got, want)
	}
	if none := rec.During(9); none.Records == nil || len(none.Records) > 0 {
		t.Errorf("a round without a step has the records %v, want an empty list", none.Records)
	}
}
