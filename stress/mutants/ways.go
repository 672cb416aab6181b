//go:build linux

package mutants

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/run"
)

// A way is how a run is made: with which parties, which of them announce their
// steps, and what goes wrong.
type way struct {
	wrong, right int // parties that have the mistake, and that are of package impl
	announce     announce
	faults       []fault.Fault
}

// announce says how many parties announce their steps, which run.Config.White
// draws from the seed.
type announce uint64

const (
	all  announce = iota // the properties are watched at each step, and the pauses are between steps, too
	half                 // both kinds meet
	none                 // they are fastest
)

// ways are in the order in which a search tries them. The first finds what hangs
// or lets a party go too early at once, the second most other mistakes. A party
// that gives up calls again, so the second is in no way weaker than without
// that. But where parties announce their steps, it takes ten times as long to
// see that they step without end. The last two find nothing that the others do
// not. They are for the control: what is held up is no fault.
var ways = []way{
	{2, 0, none, nil},
	{2, 0, all, []fault.Fault{giveUps}},
	{3, 0, all, []fault.Fault{giveUps}},
	{1, 1, all, []fault.Fault{giveUps}},
	{3, 0, none, []fault.Fault{giveUps}},
	{3, 1, half, []fault.Fault{giveUps, {Kind: fault.Stop, Who: fault.Any, Lasts: 5 * time.Millisecond}}},
	{2, 1, half, []fault.Fault{giveUps, {Kind: fault.CPUs, Amount: 1}, {Kind: fault.Busy, Amount: 1}}},
}

var giveUps = fault.Fault{Kind: fault.GiveUp, Percent: 10}

// stall is how long a run waits without progress until it looks from outside,
// twice. What it sees then decides, so it need not be long.
const stall = time.Second

// config returns the run of the way in a lap of the search with the seed.
func (w way) config(m *model.Mutant, seed uint64, lap int, length time.Duration) run.Config {
	ports := slices.Concat(slices.Repeat([]string{portOf(m)}, w.wrong), slices.Repeat([]string{"go"}, w.right))
	const classes = 3
	return run.Config{
		Procs: len(ports), Ports: ports, For: length, Stall: stall, Pauses: true, White: true, Faults: w.faults,
		Seed: (100*seed+uint64(lap))*classes + uint64(w.announce),
	}
}

// judge says which fault the run has found, if any, and what was seen.
func judge(rep run.Report) (how, why string) {
	switch {
	case rep.Early != nil:
		return spec.NoEarlyExit.String(), rep.Early.String()
	case rep.Violations > 0: // the worker that saw it has not said more
		return spec.NoEarlyExit.String(), fmt.Sprintf("%d early exits", rep.Violations)
	case len(rep.Refuted) > 0:
		r := rep.Refuted[0]
		return r.Property, fmt.Sprintf("worker %d in call %d: %s", r.Worker, r.Round, r.Why)
	case len(rep.Ends.Refused) > 0:
		return Refused, slices.Sorted(maps.Keys(rep.Ends.Refused))[0]
	case rep.Verdict == spec.Hang:
		return spec.NoHang.String(), cmp.Or(rep.Cause, rep.Hang.Why)
	}
	return "", ""
}
