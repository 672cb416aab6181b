//go:build linux

package inspect

import (
	"slices"

	"sharedbarrier/spec"
)

// A Party is what the caller of Inspect knows of one party from the party
// itself.
type Party struct {
	Owns   func(pid int) bool // whether the process is the party, or belongs to it; not called if Gone
	Gone   bool               // it has ended
	Inside bool               // it has begun a call that has not returned
	Step   *spec.Step         // the step that it has announced last; nil: not known
}

// steps returns where the party may be: at the step that it has announced, or,
// if it has just taken that, at the next one.
func (p Party) steps() steps {
	switch {
	case !p.Inside:
		return outside
	case p.Step == nil:
		return anyStep &^ outside
	}
	set := stepsOf(*p.Step).andNext()
	if set.has(spec.Call) { // it has begun another call since
		set = set&^outside | stepsOf(spec.LockInit)
	}
	return set
}

// andNext returns the steps and those that may follow them.
func (set steps) andNext() steps {
	for _, s := range set.list() {
		for _, b := range s.Next() {
			set |= 1 << b.To
		}
	}
	return set
}

// known returns what is known of each of the given parties: what it has said,
// and what its process does. It returns the numbers of those that are there and
// have not the segment mapped.
func (v *seen) known(given []Party) (list []party, waits bool, elsewhere []int) {
	mappers := v.last.mappers()
	for i, g := range given {
		p := party{gone: true}
		if !g.Gone {
			if at := slices.IndexFunc(mappers, g.Owns); at >= 0 {
				p = v.party(mappers[at])
			} else {
				elsewhere = append(elsewhere, i)
			}
		}
		set := g.steps()
		if p.gone {
			p.at = set
		} else {
			p.at, p.rests, p.less = p.at&set, (p.rests|p.less)&set, 0
		}
		list = append(list, p)
		waits = waits || g.Inside && !p.gone
	}
	return list, waits, elsewhere
}
