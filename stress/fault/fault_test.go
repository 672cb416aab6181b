package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// The texts are as String writes them.
var texts = []string{
	"kill:one@CountEnter", "kill:any", "kill:2@end", "kill:all", "kill:holder", "kill:any:x2", "kill:any@LockExit:0.01%",
	"stop:any:50ms", "stop:one@AwaitFlag:1m0s:x3", "stop:holder:2s", "stop:0:1ms:12.5%",
	"delay:any@MakeExit:100µs:5%", "delay:all",
	"give-up:5%", "give-up:all@AwaitFlag:x1", "give-up:one:100%",
	"walk-away", "walk-away@AwaitDrain", "walk-away:any:2%",
	"construct:late", "construct:late:one", "construct:late:2", "relink", "relink:5ms", "relink:x3", "relink:5ms:x3",
	"parties:one-less", "parties:shrink", "parties:grow", "parties:shrink-after-return", "parties:grow-after-return",
	"surplus:1", "cpus:1", "busy:4", "eintr", "eintr:100µs",
}

func TestUnit_RoundTrip(t *testing.T) {
	seen := map[Kind]bool{}
	for _, text := range texts {
		f, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q) = %v", text, err)
			continue
		}
		if f.String() != text {
			t.Errorf("Parse(%q).String() = %q", text, f)
		}
		seen[f.Kind] = true
	}
	for _, k := range AllKinds() {
		if !seen[k] {
			t.Errorf("no text is of kind %v", k)
		}
		if k.Doc() == "" || !strings.HasPrefix(k.Form(), k.String()) {
			t.Errorf("kind %v: %q, %q; want what it does, and its form", k, k.Form(), k.Doc())
		}
	}
}

func TestUnit_Parts(t *testing.T) {
	for text, want := range map[string]Fault{
		"kill:one@CountEnter": {Kind: Kill, Who: One, At: Before(spec.CountEnter)},
		"kill@Call:one":       {Kind: Kill, Who: One, At: Before(spec.Call)},
		"kill:0@end":          {Kind: Kill, Who: Number, At: End},
		"stop:any:3%:50ms":    {Kind: Stop, Who: Any, Lasts: 50 * time.Millisecond, Percent: 3},
		"surplus:2":           {Kind: Surplus, Amount: 2},
		"construct:late":      {Kind: Construct, Word: Late},
		"construct:1:late":    {Kind: Construct, Who: Number, Worker: 1, Word: Late},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// Each refusal says what is wrong and what is possible.
func TestUnit_Refusals(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "the kinds are kill, stop, delay, give-up, walk-away, construct, relink, parties, surplus, cpus, busy, eintr",
		"kil:one":                              `no kind is named "kil"`,
		"kill":                                 "does not say who: one, any, all, holder",
		"kill:":                                "a part is empty",
		"kill:someone":                         `"someone" has no place here; the form is kill:WHO`,
		"kill:one:two":                         `"two" has no place`,
		"kill:one:any":                         `"any" has no place`,
		"kill:one@Count":                       `"Count" is no step for it; the steps are Call, LockInit`,
		"kill:one@MakeExit":                    "is no step for it",
		"kill:one@Call@Call":                   "is no step for it",
		"kill:one@Call:x1@InitExit":            "names two steps",
		"kill:one@end:5%":                      "only once",
		"kill:one:x2":                          "kill:any:x2 kills two",
		"kill:one:50ms":                        `"50ms" has no place`,
		"kill:any:x0":                          "no number of times",
		"kill:any:x2:3%":                       "twice how often",
		"kill:holder@CountEnter":               "name a step or the holder",
		"stop:any:-1s":                         "has no place",
		"stop:any:0s":                          "has no place",
		"stop:any:1s:1s":                       "has no place",
		"stop:any:101%":                        "percentage from above 0% to 100%",
		"stop:any:NaN%":                        "no percentage",
		"stop:any:0x1p-2%":                     "no percentage",
		"stop:any:1..2%":                       "no percentage",
		"stop:any@end":                         "is no step for it",
		"give-up":                              "how often, as in give-up:5%",
		"give-up:holder:5%":                    "does not wait",
		"give-up@CountEnter:5%":                "the steps are LockInit, LockEnter, AwaitDrain, LockFirst, AwaitFlag",
		"walk-away@LockExit":                   "the steps are AwaitDrain, AwaitFlag",
		"construct":                            "needs one of late",
		"construct:early":                      "has no place",
		"parties:more":                         "form is parties:one-less|shrink",
		"parties:shrink@Call":                  "happens at no step",
		"surplus":                              "needs a number",
		"surplus:0":                            "has no place",
		"surplus:-1":                           "has no place",
		"surplus:1:2":                          "has no place",
		"cpus:one":                             "has no place",
		"busy:99999999999999999999":            "has no place",
		"busy:257":                             "give at most 256 processes",
		"relink:5%":                            "has no place",
		"relink:one":                           "has no place",
		"eintr:x2":                             "has no place",
		"stop:any:" + strings.Repeat("9", 200): "has no place",
	} {
		f, err := Parse(text)
		if !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 700 {
			t.Errorf("Parse(%q) = %+v, %v; want one line with %q", text, f, err, want)
		}
	}
	if _, err := ParseAll(slices.Repeat([]string{"kill:any"}, Most+1)); !errors.Is(err, ErrFault) {
		t.Errorf("ParseAll of %d faults: %v", Most+1, err)
	}
}

// FuzzParse: what is read is written as a text that is read as the same, and
// can be planned.
func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Add("stop:any:9999999h:0.000000000000001%")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("Parse(%q) = %+v; its text %q is read as %+v, %v", text, got, got, again, err)
		}
		if got.Times > 100 {
			return
		}
		if p, err := New([]Fault{got}, 1, 3, 5); err == nil {
			p.Lines(3)
		}
	})
}

// TestUnit_PlanRefusals: what a fault needs of the run, and of the others.
func TestUnit_PlanRefusals(t *testing.T) {
	for _, c := range []struct {
		faults string
		procs  int
		rounds int64
		want   string
	}{
		{"kill:4", 4, 0, "no worker 4; the workers are 0 to 3"},
		{"kill:any:x3", 2, 0, "only 2 workers"},
		{"surplus:2", 2, 0, "give 3 processes or more"},
		{"parties:shrink", 1, 0, "give 2 processes or more"},
		{"parties:grow", 3, 1, "give 2 rounds or more"},
		{"parties:grow surplus:1", 3, 0, "only one of parties and surplus"},
		{"busy:1 busy:2", 3, 0, "only one of its kind"},
		{"kill:any kill:any", 3, 0, "given twice"},
	} {
		if _, err := New(parseAll(t, c.faults), 1, c.procs, c.rounds); !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%s, %d workers, %d rounds): %v, want %q", c.faults, c.procs, c.rounds, err, c.want)
		}
	}
}

func parseAll(t *testing.T, texts string) []Fault {
	t.Helper()
	faults, err := ParseAll(strings.Fields(texts))
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func mustPlan(t *testing.T, texts string, seed uint64, procs int, rounds int64) *Plan {
	t.Helper()
	p, err := New(parseAll(t, texts), seed, procs, rounds)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestGolden_Plan: the same seed makes the same plan, on every machine and in
// every version. So a report of last year can be repeated.
func TestGolden_Plan(t *testing.T) {
	var out strings.Builder
	for _, faults := range []string{
		"kill:one@CountEnter stop:any:50ms give-up:5% walk-away relink construct:late eintr busy:4",
		"kill:any:x2 delay:all@CountExit:1ms stop:holder:1s:x2 kill:1@end parties:one-less cpus:1",
		"parties:shrink", "parties:grow", "surplus:1",
	} {
		for seed := range uint64(2) {
			fmt.Fprintf(&out, "%s, seed %d, 4 workers\n", faults, seed)
			for _, line := range mustPlan(t, faults, seed, 4, 0).Lines(3) {
				fmt.Fprintln(&out, " ", line)
			}
		}
	}
	golden.File(t, "testdata/plan.txt", out.String())
}

// TestUnit_PlanCounts: a fault hits as many calls, and of the workers, as it
// says. All of them come while each worker makes the calls of the plan.
func TestUnit_PlanCounts(t *testing.T) {
	const procs, rounds = 5, 2000
	for _, c := range []struct {
		fault       string
		least, most int
		workers     int // that are hit
	}{
		{"kill:one@CountEnter", 1, 1, 1}, {"kill:any", 1, 1, 1}, {"kill:any:x3", 3, 3, 3}, {"kill:all", 5, 5, 5}, {"kill:3", 1, 1, 1},
		{"stop:one:1ms", 1, 1, 1}, {"stop:all:1ms:x2", 10, 10, 5}, {"stop:any:1ms", 60, 150, 5}, {"stop:2:1ms:10%", 140, 260, 1},
		{"give-up:5%", 400, 600, 5}, {"give-up:one:50%", 850, 1150, 1}, {"walk-away", 1, 1, 1}, {"give-up:any:100%", 10000, 10000, 5},
	} {
		for seed := range uint64(5) {
			p := mustPlan(t, c.fault, seed, procs, rounds)
			count, workers, begun := 0, map[int]bool{}, []int64{}
			for worker := range procs {
				for call := int64(1); call <= rounds; call++ {
					for _, in := range p.Of(worker, call) {
						count++
						workers[in.Worker] = true
						if in.Worker != worker || in.Call != call || in.Moment < 0 || in.Moment >= 1 || in.Kind != p.Faults()[0].Kind {
							t.Fatalf("%s, seed %d: Of(%d, %d) has %+v", c.fault, seed, worker, call, in)
						}
					}
				}
				begun = append(begun, rounds)
			}
			if count < c.least || count > c.most || len(workers) != c.workers || p.Count(0, begun) != int64(count) {
				t.Errorf("%s, seed %d: %d injections (Count says %d) in %d workers, want %d to %d in %d",
					c.fault, seed, count, p.Count(0, begun), len(workers), c.least, c.most, c.workers)
			}
		}
	}
}

// TestUnit_PlanInTime: what happens so many times is planned for the first half
// of a short run, and what replaces the lock file for one of its rounds.
func TestUnit_PlanInTime(t *testing.T) {
	for _, rounds := range []int64{1, 2, 25, 1000} {
		for seed := range uint64(200) {
			p := mustPlan(t, "give-up:0@AwaitFlag:x2 stop:any:1ms:x9 kill:one relink:x3", seed, 3, rounds)
			for _, in := range p.fixed {
				if in.Call < 1 || in.Call > (rounds+1)/2 {
					t.Errorf("%d rounds, seed %d: %v is planned for call %d", rounds, seed, p.Faults()[in.Fault], in.Call)
				}
			}
			if first, last := slices.Min(p.Relinks()), slices.Max(p.Relinks()); first < 1 || last > rounds {
				t.Errorf("%d rounds, seed %d: the lock file is replaced in rounds %v", rounds, seed, p.Relinks())
			}
		}
	}
}

// TestUnit_PlanVaries: different seeds hit different workers, calls and moments,
// and two faults of one run do not follow each other.
func TestUnit_PlanVaries(t *testing.T) {
	workers, calls, both := map[int]int{}, map[int64]int{}, 0
	for seed := range uint64(200) {
		p := mustPlan(t, "kill:one stop:one:1ms", seed, 4, 0)
		first := p.first(0, 1)[0]
		workers[first.Worker]++
		calls[first.Call]++
		if first.Worker == p.first(1, 1)[0].Worker {
			both++
		}
	}
	if len(workers) != 4 || len(calls) != window || both < 25 || both > 80 {
		t.Errorf("workers %v, calls %v, both faults hit one worker %d times of 200; want 4, %d, about 50", workers, calls, both, window)
	}
}

// TestUnit_PartyCounts: who is a party of which round, and which count it passes.
func TestUnit_PartyCounts(t *testing.T) {
	for seed := range uint64(20) {
		shrink, grow := mustPlan(t, "parties:shrink", seed, 3, 10), mustPlan(t, "parties:grow-after-return", seed, 3, 2)
		_, last := shrink.Member(2)
		first, end := grow.Member(2)
		if last < 1 || last > 9 || first != 2 || end != 0 {
			t.Errorf("seed %d: the last worker is a party up to %d of 10 rounds, and from %d to %d of 2; want 1 to 9, 2, 0", seed, last, first, end)
		}
		for worker := range 2 {
			if f, l := shrink.Member(worker); f != 1 || l != 0 {
				t.Errorf("Member(%d) = %d, %d, want 1, 0", worker, f, l)
			}
			if a, b := shrink.Parties(worker, last), shrink.Parties(worker, last+1); a != 3 || b != 2 {
				t.Errorf("shrink: %d passed in round %d, and %d later; want 3, 2", a, last, b)
			}
			if a, b := grow.Parties(worker, first-1), grow.Parties(worker, first); a != 2 || b != 3 {
				t.Errorf("grow: %d passed in round %d, and %d later; want 2, 3", a, first-1, b)
			}
		}
		if shrink.AfterReturn(last+1) || !grow.AfterReturn(first) || grow.AfterReturn(first-1) || grow.AfterReturn(first+1) {
			t.Errorf("seed %d: AfterReturn is wrong", seed)
		}
		less := mustPlan(t, "parties:one-less", seed, 3, 0)
		counts := []int{less.Parties(0, 1), less.Parties(1, 9), less.Parties(2, 99)}
		if slices.Sort(counts); !slices.Equal(counts, []int{2, 3, 3}) {
			t.Errorf("one-less: %v are passed, want 2 once and 3 twice", counts)
		}
		if got := mustPlan(t, "surplus:2", seed, 5, 0).Parties(1, 1); got != 3 {
			t.Errorf("surplus:2 of 5: %d passed, want 3", got)
		}
	}
}
