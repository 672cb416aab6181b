//go:build linux

// Package mutants checks the stress test. It runs the C port with each mistake
// of model.Mutants at full speed, in several ways, until the run finds a fault.
// Each mistake that breaks a property must be found. One that is harmless must
// not be: that is the control.
//
//	scores, err := mutants.Scores(ctx, mutants.Options{Seeds: 3, Seed: 1, For: time.Minute}, mutants.All())
package mutants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

// Options say how to look for mistakes. The program must call registry.ServeGo
// and run.ServeWorker first in main.
type Options struct {
	Seeds int           // how often each mistake is looked for
	Seed  uint64        // of the first time; each further time has the next one
	For   time.Duration // the time for one mistake and one seed; for a harmless one, and all seeds

	Command func(run.Config) string // returns the command that makes a run

	// Progress, unless nil, is called before each search, and at the end, with
	// the number of those that are over.
	Progress func(mutant string, over int)
}

// Version is the version of the JSON form of Score.
const Version = 1

// A Score says whether, how and when one mistake was found. Schema:
// score.schema.json.
type Score struct {
	Version  int     `json:"version"`
	Mutant   string  `json:"mutant"`   // name of a model.Mutant
	Harmless bool    `json:"harmless"` // it breaks no property, so it must not be found
	Seeds    int     `json:"seeds"`    // how often it was looked for
	Found    int     `json:"found"`    // how often it was found
	Seconds  float64 `json:"seconds"`  // to find it: the median of those that have found it; 0: not found
	Rounds   int64   `json:"rounds"`   // until then; of one that was not found, all of the last search
	How      string  `json:"how"`      // the name of a spec.Property that was refuted, or Refused
	Why      string  `json:"why"`      // what was seen
	Command  string  `json:"command"`  // finds it; of one that was not found, the last run
}

// Refused is how a mistake is found if a party refuses to call, since it finds
// the words out of range. The barrier lets no caller through then.
const Refused = "refused"

// Passed reports whether the mistake was found each time, or, if it is
// harmless, never.
func (s Score) Passed() bool {
	if s.Harmless {
		return s.Found == 0
	}
	return s.Found == s.Seeds
}

// All returns the mutants of the model, in its order.
func All() (list []*model.Mutant) {
	for i := range model.Mutants {
		list = append(list, &model.Mutants[i])
	}
	return list
}

// Scores looks for each mistake. It makes one run at a time, so that the times
// are those of a machine that does nothing else. When ctx ends it returns the
// scores so far and the error of ctx. Any other error says that a port cannot be
// built, or is one of run.Run.
func Scores(ctx context.Context, o Options, list []*model.Mutant) (scores []Score, err error) {
	if err := build(ctx, list); err != nil {
		return nil, err
	}
	progress := func(name string, over int) {
		if o.Progress != nil {
			o.Progress(name, over)
		}
	}
	for i, m := range list {
		var finds []find
		for k := range o.Seeds {
			progress(m.Name, i*o.Seeds+k)
			limit := o.For
			if m.Why != "" {
				limit /= time.Duration(o.Seeds)
			}
			f, err := search(ctx, m, o.Seed+uint64(k), limit)
			if err != nil {
				return scores, err
			}
			finds = append(finds, f)
		}
		scores = append(scores, o.score(m, finds))
	}
	progress("", len(list)*o.Seeds)
	return scores, nil
}

// build compiles the port with each of the mistakes, several at a time.
func build(ctx context.Context, list []*model.Mutant) error {
	names := []string{"go"}
	for _, m := range list {
		names = append(names, portOf(m))
	}
	return registry.Build(ctx, names)
}

// portOf returns the name of the port that has the mistake.
func portOf(m *model.Mutant) string { return "c@" + m.Name }

// score sums up the searches for one mistake: how often it was found, and the
// search of the median time.
func (o Options) score(m *model.Mutant, finds []find) Score {
	s := Score{Version: Version, Mutant: m.Name, Harmless: m.Why != "", Seeds: len(finds)}
	f := finds[len(finds)-1]
	finds = slices.DeleteFunc(slices.Clone(finds), func(f find) bool { return f.How == "" })
	if s.Found = len(finds); s.Found > 0 {
		slices.SortStableFunc(finds, func(a, b find) int { return cmp.Compare(a.Took, b.Took) })
		f = finds[(len(finds)-1)/2]
		s.Seconds = f.Took.Seconds()
	}
	s.Rounds, s.How, s.Why, s.Command = f.Rounds, f.How, f.Why, o.Command(f.Config)
	return s
}

// A find is the result of one search.
type find struct {
	How, Why string        // as in Score; no How: not found
	Took     time.Duration // the whole search
	Rounds   int64         // of all runs of it
	Config   run.Config    // of the last run, which may take the whole time
}

// search runs the barrier with the mistake in each way, for half a second, and
// again for twice as long, until a run finds a fault or the time is over. A
// fault that is found later than that is not found, unless it is a false one.
func search(ctx context.Context, m *model.Mutant, seed uint64, limit time.Duration) (f find, err error) {
	began := time.Now()
	defer func() { f.Took = time.Since(began) }()
	for lap := 0; ; lap++ {
		for _, w := range ways {
			left := limit - time.Since(began)
			if left <= 0 {
				return f, nil
			}
			f.Config = w.config(m, seed, lap, limit)
			c := f.Config
			c.For = min(time.Second/2<<lap, left)
			rep, err := run.Run(ctx, c)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return f, fmt.Errorf("%s: %w", portOf(m), err)
			}
			f.Rounds += rep.Rounds
			how, why := judge(rep)
			switch late := time.Since(began) - limit; {
			case how != "" && late > 0 && m.Why == "":
				f.Why = fmt.Sprintf("%v too late: %s", late.Round(time.Millisecond), why)
				return f, nil
			case how != "":
				f.How, f.Why = how, why
				return f, nil
			}
		}
	}
}

// FoundText says how often the mistake was found, and whether it had to be.
func (s Score) FoundText() string {
	text := fmt.Sprintf("%d of %d", s.Found, s.Seeds)
	switch {
	case s.Harmless && s.Found == 0:
		return text + ", harmless"
	case s.Harmless:
		return text + ", BUT HARMLESS"
	case !s.Passed():
		return text + ", NOT FOUND"
	}
	return text
}

// After returns the median time in which it was found.
func (s Score) After() string {
	if s.Found == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", s.Seconds)
}
