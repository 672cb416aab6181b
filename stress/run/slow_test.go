//go:build linux

package run

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sharedbarrier/spec"
	"sharedbarrier/stress/trace"
)

// The slowest round of a run has the longest latency, and all steps of all
// workers in it.
func TestProc_SlowestRounds(t *testing.T) {
	t.Parallel()
	c := Config{Procs: 3, Rounds: 300, Seed: 7, Pauses: true, Slowest: true}
	rep := mustRun(t, at("real"), c)
	if len(rep.Slowest) == 0 || len(rep.Slowest) > trace.Slowest {
		t.Fatalf("a run of %d rounds has %d slowest rounds, want 1 to %d", rep.Rounds, len(rep.Slowest), trace.Slowest)
	}
	if got, want := rep.Slowest[0].Latency, rep.Latency.Max; got > want || got < 0.998*want { // the histogram has three digits
		t.Errorf("the slowest round took %v µs, and the longest latency is %v µs", got, want)
	}
	for i, slow := range rep.Slowest {
		if i > 0 && slow.Latency > rep.Slowest[i-1].Latency {
			t.Errorf("round %d took longer than the one before it in the list, %d", slow.Round, rep.Slowest[i-1].Round)
		}
		for w := range c.Procs {
			var labels []string
			for _, record := range slow.Recording.Of(w) {
				if record.Round == slow.Round {
					labels = append(labels, record.Label)
				}
			}
			// A worker that waits for no drain and no flag has 8. Another one may have
			// returned, and not have recorded that yet.
			ends := []string{trace.Returned.String(), spec.UnlockExit.String()}
			if len(labels) < 8 || labels[0] != spec.Call.String() || !slices.Contains(ends, labels[len(labels)-1]) {
				t.Errorf("round %d of worker %d has the steps %q, want those from Call to returned", slow.Round, w, labels)
			}
		}
	}

	c.Slowest = false
	if rep := mustRun(t, at("real"), c); rep.Slowest != nil {
		t.Errorf("a run that was not asked for them has the slowest rounds %v", rep.Slowest)
	}
}

// Of the rounds that several workers have kept, some twice, the slowest are
// left, each once.
func TestUnit_SlowestOfAll(t *testing.T) {
	one, two := newFindings(), newFindings()
	one.addSlow(SlowRound{Round: 4, Latency: 40}, SlowRound{Round: 9, Latency: 90}, SlowRound{Round: 2, Latency: 20})
	two.addSlow(SlowRound{Round: 9, Latency: 95}, SlowRound{Round: 3, Latency: 30})
	text, err := json.Marshal(two)
	if err != nil {
		t.Fatal(err)
	}
	two = findings{}
	if err := json.Unmarshal(text, &two); err != nil {
		t.Fatal(err)
	}
	one.addSlow(two.Slowest...)
	if got, want := fmt.Sprint(one.Slowest[0].Latency, one.Slowest[1].Latency, one.Slowest[2].Latency, len(one.Slowest)), "95 40 30 3"; got != want {
		t.Errorf("the slowest rounds and their number are %s, want %s", got, want)
	}
}

// Each latency is in one bar of the report, whose limits hold it, and the
// percentiles are those of the sorted list.
func TestUnit_Histogram(t *testing.T) {
	h := histogram{hdrhistogram.New(1, 3600e9, 3)}
	random := rand.New(rand.NewPCG(1, 2))
	var latencies []int64
	for range 20000 {
		latency := int64(1) << random.IntN(40)
		latency += random.Int64N(latency)
		latencies = append(latencies, latency)
		if err := h.RecordValue(latency); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(latencies)
	rep := h.report()
	if n := len(rep.Bars); n > 4*42 { // an hour has 42 bits
		t.Errorf("there are %d bars, want four for each factor of two at most", n)
	}
	for i, bar := range rep.Bars {
		calls := int64(0)
		for _, latency := range latencies {
			if us := micros(latency); us >= bar.From && us < bar.To {
				calls++
			}
		}
		if calls != bar.Calls || calls == 0 || i > 0 && bar.From < rep.Bars[i-1].To {
			t.Errorf("bar %d is %+v after %+v; want %d calls", i, bar, rep.Bars[max(0, i-1)], calls)
		}
	}
	for _, p := range rep.Percentiles {
		want := micros(latencies[max(0, int(p.Percent/100*float64(len(latencies))+0.5)-1)])
		if p.Latency < want || p.Latency > 1.002*want {
			t.Errorf("%v %% of the latencies do not exceed %v µs, want %v, rounded up to three digits", p.Percent, p.Latency, want)
		}
	}
}
