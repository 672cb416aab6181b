package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// A question is a configuration and its expected answer.
type question struct {
	name     string // by which it is asked for: that of its .cfg file
	config   tlc.Config
	expected tlc.Expected // zero: none is recorded
}

// allQuestions returns every configuration with its answer in the manifest, by
// scenario, then by size.
func allQuestions() ([]question, error) {
	manifest, err := tlc.ReadManifest(tla.Files)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(tla.Files, "*.cfg")
	if err != nil {
		return nil, err
	}
	var all []question
	for _, file := range files {
		config, err := tlc.ReadConfig(tla.Files, strings.TrimSuffix(file, ".cfg"))
		if err != nil {
			return nil, err
		}
		all = append(all, question{config.Name, config, manifest.Find(config.Name)})
	}
	slices.SortStableFunc(all, func(a, b question) int {
		return cmp.Or(
			cmp.Compare(a.config.Scenario, b.config.Scenario),
			strings.Compare(fmt.Sprint(a.config.Kept), fmt.Sprint(b.config.Kept)),
			cmp.Compare(a.config.Procs, b.config.Procs),
			cmp.Compare(a.config.Rounds, b.config.Rounds))
	})
	return all, nil
}

// questions checks that the flags go together, and returns what they and the
// arguments ask for.
func (o options) questions(all []question) ([]question, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	for _, name := range o.names {
		if !slices.ContainsFunc(all, func(q question) bool { return q.config.Name == name }) {
			return nil, fmt.Errorf("no question %q: they are the .cfg files of folder tla, without .cfg", name)
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(q question) bool { return !o.wants(q) })
	if o.distributed > 0 || o.simulate > 0 {
		chosen = slices.DeleteFunc(chosen, func(q question) bool { return q.config.Liveness() })
	}
	if o.simulate > 0 && o.procsGiven {
		chosen = resize(chosen, o.procs)
	}
	if len(chosen) == 0 {
		if o.distributed > 0 || o.simulate > 0 {
			return nil, errors.New("no question is left: --distributed and --simulate are for those of safety only, none of NoHang or refinement")
		}
		return nil, errors.New("no question is about that: ask for fewer things at once, or give --class long")
	}
	return chosen, nil
}

// heap is a size as java -Xmx takes it.
var heap = regexp.MustCompile(`^[1-9][0-9]*[kKmMgGtT]?$`)

func (o options) validate() error {
	switch {
	case o.scenario != "all" && !slices.Contains(scenarioNames(), o.scenario):
		return fmt.Errorf("no scenario %q here: use all, %s", o.scenario, strings.Join(scenarioNames(), ", "))
	case !slices.Contains(tlc.Classes, tlc.Class(o.class)):
		return fmt.Errorf("no class %q: use short, medium or long", o.class)
	case o.workers < 1:
		return fmt.Errorf("--workers %d: give 1 or more", o.workers)
	case o.memory != "" && !heap.MatchString(o.memory):
		return fmt.Errorf("--memory %s: give a size as java -Xmx takes it, such as 512m or 4g", o.memory)
	case o.distributed < 0 || o.simulate < 0 || o.limit < 0:
		return errors.New("--distributed, --simulate and --limit must not be negative")
	case o.distributed > 0 && o.simulate > 0:
		return errors.New("--distributed and --simulate do not go together: TLC's server does not simulate")
	case o.seedGiven && o.simulate == 0:
		return errors.New("--seed is that of --simulate: give both")
	case o.simulate > 0 && o.procsGiven && o.procs < 2:
		return fmt.Errorf("--procs %d: give 2 or more to simulate", o.procs)
	case o.record != "" && (o.workers > 1 || o.distributed > 0 || o.simulate > 0):
		return errors.New("--record wants exact figures: use one worker, and neither --distributed nor --simulate")
	}
	return nil
}

// wants reports whether the filters let the question pass. A question that is
// asked for by name may take as long as it likes.
func (o options) wants(q question) bool {
	named := slices.Contains(o.names, q.config.Name)
	switch {
	case len(o.names) > 0 && !named,
		o.scenario != "all" && q.config.Scenario.String() != o.scenario,
		o.procsGiven && o.simulate == 0 && q.config.Procs != o.procs,
		o.roundsGiven && q.config.Rounds != o.rounds:
		return false
	}
	return named || slices.Index(tlc.Classes, q.expected.Class) <= slices.Index(tlc.Classes, tlc.Class(o.class))
}

// resize asks each kind of question once, about n processes.
func resize(chosen []question, n int) []question {
	var resized []question
	asked := map[string]bool{}
	for _, q := range chosen {
		kind := fmt.Sprint(q.config.Scenario, q.config.Kept, q.config.Asks())
		if asked[kind] || q.config.Scenario == spec.Single {
			continue
		}
		asked[kind] = true
		resized = append(resized, question{q.name, q.config.WithProcs(n), q.expected})
	}
	return resized
}
