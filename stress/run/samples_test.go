//go:build linux

package run

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Two workers return a hundred times a second each, for a minute, with known
// latencies. The samples do not depend on who measures which half.
func TestUnit_Samples(t *testing.T) {
	one, two, both := newSliced(), newSliced(), newSliced()
	start, random := 5*time.Hour.Nanoseconds()+12345, rand.New(rand.NewPCG(1, 2))
	for i := range int64(6000) {
		now := start + i*10e6
		for _, s := range []*sliced{&one, &two} {
			latency := 1000 + random.Int64N(1000)
			if i%50 == 49 {
				latency *= 100
			}
			if s == &two && i > 3000 {
				continue // it ends before its slices get as long as the other's
			}
			s.record(now, latency)
			both.record(now, latency)
		}
	}
	text, err := json.Marshal(two)
	if err != nil {
		t.Fatal(err)
	}
	two = sliced{}
	if err := json.Unmarshal(text, &two); err != nil {
		t.Fatal(err)
	}
	if one.Length <= two.Length || two.Length <= shortestSlice || len(one.List) > mostSlices {
		t.Errorf("slices of %v (%d) and %v, want longer ones the longer it took, %d at most", one.Length, len(one.List), two.Length, mostSlices)
	}
	sum := newSliced()
	sum.add(two)
	sum.add(one)
	got, want := sum.samples(2), both.samples(2)
	gotText, _ := json.Marshal(got)
	if wantText, _ := json.Marshal(want); string(gotText) != string(wantText) {
		t.Errorf("samples of both: %s, want %s", gotText, wantText)
	}
	// 100 a second of each worker, or half of that
	for i, rounds := range got.Rounds {
		from, until, want := float64(i+1)*got.Seconds, float64(i+2)*got.Seconds, 100*got.Seconds
		if from > 30 {
			want /= 2
		}
		if (from > 30.1 || until < 30) && math.Abs(rounds-want) > 1 {
			t.Errorf("the slice from %v to %v s has %v rounds, want %v", from, until, rounds, want)
		}
		if p50, p99 := got.P50[i], got.P99[i]; p50 < 1.2 || p50 > 1.8 || p99 < 90 || p99 > 200 {
			t.Errorf("slice %d has the latencies %v and %v µs, want 1 to 2, and 100 to 200, rounded off", i, p50, p99)
		}
	}
	if len(got.Rounds) < mostSlices/2-2 || len(got.P50) != len(got.Rounds) || len(got.P99) != len(got.Rounds) {
		t.Errorf("%d, %d and %d samples, want equally many, %d or more", len(got.Rounds), len(got.P50), len(got.P99), mostSlices/2-2)
	}
}

// Slices without a return are samples too, and a run that is too short has
// none.
func TestUnit_SamplesOfAPause(t *testing.T) {
	s := newSliced()
	s.record(0, 64)
	s.record(int64(shortestSlice), -1)
	if got := s.samples(1); got != nil {
		t.Errorf("samples of two slices: %+v, want none", got)
	}
	s.record(4*int64(shortestSlice), 64)
	if got := s.samples(1); !slices.Equal(got.Rounds, []float64{1, 0, 0}) || !slices.Equal(got.P50, []float64{0, 0, 0}) {
		t.Errorf("samples with a pause: %+v, want a round, then none in two slices, and no latency", got)
	}
}
