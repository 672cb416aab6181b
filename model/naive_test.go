package model

import (
	"slices"
	"strconv"

	"sharedbarrier/spec"
)

// naive explores cfg by the simplest means there are, as the oracle for Explore:
// a map of strings, one level after the other, no packing, no table, no symmetry.
func naive(cfg Config, check []spec.Property) Result {
	r := Result{Verdict: spec.Verified, Generated: 1}
	level := []State{Init(cfg)}
	known := map[string]bool{key(cfg, level[0]): true}
	for len(level) > 0 {
		r.Depth++
		r.Distinct = int64(len(known))
		for _, p := range check {
			for _, s := range level {
				if Violates(cfg, s, p) {
					r.Verdict, r.Property = spec.Violated, p.String()
					return r
				}
			}
		}
		var next []State
		stuck := false
		for _, s := range level {
			stuck = stuck || Stuck(cfg, s)
			for _, a := range Enabled(cfg, s) {
				to := Apply(cfg, s, a)
				for p := range to.procs {
					if cfg.Rounds == 0 { // beyond that, rounds are not counted
						to.procs[p].rounds = min(to.procs[p].rounds, maxAhead)
					}
				}
				r.Generated++
				if k := key(cfg, to); !known[k] {
					known[k] = true
					next = append(next, to)
				}
			}
		}
		if stuck && slices.Contains(check, spec.NoHang) {
			r.Verdict, r.Property = spec.Hang, spec.NoHang.String()
			r.Distinct = int64(len(known))
			return r
		}
		level = next
	}
	return r
}

// key spells a state out, every part of it.
func key(cfg Config, s State) string {
	b := make([]byte, 0, 200)
	number := func(x int32) { b = append(strconv.AppendInt(b, int64(x), 10), ' ') }
	number(s.words.Enter)
	number(s.words.Exit)
	number(s.words.Flag)
	number(int32(s.locks[0]))
	number(int32(s.locks[1]))
	number(int32(s.linked))
	for _, p := range s.procs[:cfg.Procs] {
		b = append(b, p.step.String()...)
		b = strconv.AppendBool(b, p.dead)
		b = strconv.AppendBool(b, p.read)
		b = strconv.AppendBool(b, p.seen)
		number(p.value)
		number(p.parties)
		number(p.rounds)
	}
	return string(b)
}
