//go:build linux

package run

import (
	"slices"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// firstOfEach returns the first refutation of each property.
func firstOfEach(found []oracle.Refutation) (list []oracle.Refutation) {
	for _, f := range found {
		if !slices.ContainsFunc(list, func(r oracle.Refutation) bool { return r.Property == f.Property }) {
			list = append(list, f)
		}
	}
	return list
}

// unreported returns the refutations of which the ledger alone knows: the worker
// that has seen them has died, or could not report.
func (r *run) unreported() (list []oracle.Refutation) {
	for i, p := range r.workers {
		if p.found != nil {
			continue
		}
		for _, property := range spec.AllProperties {
			if r.ledger.Refutes(i, property) {
				list = append(list, oracle.Refutation{Property: property.String(), Worker: i, Round: r.ledger.Entry(i).Begun, Why: "has seen it, and has ended before it could say more"})
			}
		}
	}
	return list
}

// violated reports whether a worker has seen a safety property to fail.
func (r *run) violated() bool {
	return r.ledger.Violations() > 0 || slices.ContainsFunc(spec.AllProperties, func(p spec.Property) bool { return r.ledger.Refuted(p) > 0 })
}

// met names the situations that the workers have met.
func (r *run) met() (names []string) {
	set := r.ledger.Met()
	for _, m := range oracle.AllMet {
		if set>>m&1 != 0 {
			names = append(names, m.String())
		}
	}
	return names
}

// mostBegun returns the calls that the worker has begun that has begun most.
func (r *run) mostBegun() (most int64) {
	for i := range r.workers {
		most = max(most, r.ledger.Entry(i).Begun)
	}
	return most
}

// countDeaths counts the workers that have died before their last call has
// returned.
func (r *run) countDeaths() (n int) {
	for i, p := range r.workers {
		e := r.ledger.Entry(i)
		if p.isGone() && p.found == nil && !p.cmd.ProcessState.Success() && (e.Begun > e.Returned || !r.ledger.IsLast(e.Returned)) {
			n++
		}
	}
	return n
}
