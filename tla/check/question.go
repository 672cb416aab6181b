package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/tla/tlc"
)

// questions checks that the flags go together, and returns the questions that
// they and the arguments ask for.
func (o options) questions(all []tlc.Question) ([]tlc.Question, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	for _, name := range o.names {
		if !slices.ContainsFunc(all, func(q tlc.Question) bool { return q.Name() == name }) {
			return nil, fmt.Errorf("no question %q: tla/README.md lists them, from tla/questions.json", name)
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(q tlc.Question) bool { return !o.wants(q) })
	if o.distributed > 0 || o.simulate > 0 {
		chosen = slices.DeleteFunc(chosen, tlc.Question.Liveness)
	}
	if o.simulate > 0 && o.procsGiven {
		chosen = o.resize(chosen)
	}
	if len(chosen) == 0 {
		if o.distributed > 0 || o.simulate > 0 {
			return nil, errors.New("no question is left: --distributed and --simulate are for those of safety only, none of NoHang or refinement")
		}
		return nil, errors.New("no question is about that: ask for fewer things at once, or give --class long")
	}
	return chosen, nil
}

// most is the largest number of threads and of worker processes.
const most = 256

func (o options) validate() error {
	switch {
	case o.scenario != "all" && !slices.Contains(scenarioNames(), o.scenario):
		return fmt.Errorf("no scenario %q here: use all, %s", o.scenario, strings.Join(scenarioNames(), ", "))
	case !slices.Contains(tlc.Classes, tlc.Class(o.class)):
		return fmt.Errorf("no class %q: use short, medium or long", o.class)
	case o.workers < 1 || o.workers > most:
		return fmt.Errorf("--workers %d: give 1 or more, up to %d", o.workers, most)
	case o.distributed > most:
		return fmt.Errorf("--distributed %d: give %d or fewer; each is a process of Java", o.distributed, most)
	case o.distributed < 0 || o.simulate < 0 || o.limit < 0:
		return errors.New("--distributed, --simulate and --limit must not be negative")
	case o.distributed > 0 && o.simulate > 0:
		return errors.New("--distributed and --simulate do not go together: TLC's server does not simulate")
	case o.seedGiven && o.simulate == 0:
		return errors.New("--seed is that of --simulate: give both")
	case o.simulate > 0 && o.procsGiven && o.procs < 2:
		return fmt.Errorf("--procs %d: give 2 or more to simulate", o.procs)
	case o.timeline != "" && (o.jar || o.cfg):
		return errors.New("--timeline needs answers, and --jar and --cfg ask nothing: leave them out")
	case o.record != "" && (o.workers > 1 || o.distributed > 0 || o.simulate > 0):
		return errors.New("--record wants exact figures: use one worker, and neither --distributed nor --simulate")
	}
	return tlc.CheckMemory(o.memory)
}

// wants reports whether the filters pass the question. A question that is asked
// for by name may take any time.
func (o options) wants(q tlc.Question) bool {
	named := slices.Contains(o.names, q.Name())
	switch {
	case len(o.names) > 0 && !named,
		o.scenario != "all" && q.Scenario != o.scenario,
		o.procsGiven && o.simulate == 0 && q.Procs != o.procs,
		o.roundsGiven && q.Rounds != o.rounds:
		return false
	}
	return named || slices.Index(tlc.Classes, q.Class) <= slices.Index(tlc.Classes, tlc.Class(o.class))
}

// resize asks each question once, about o.procs processes.
func (o options) resize(chosen []tlc.Question) (resized []tlc.Question) {
	asked := map[string]bool{}
	for _, q := range chosen {
		key := fmt.Sprint(q.Scenario, q.Control, q.Formulas())
		if !asked[key] && q.Scenario != spec.Single.String() {
			asked[key] = true
			resized = append(resized, q)
		}
	}
	return resized
}
