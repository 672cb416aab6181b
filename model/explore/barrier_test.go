package explore

import (
	"fmt"
	"slices"
	"strconv"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// What the tests of the barrier share.

// configs lists every scenario with its control at n processes.
func configs(n int) (list []model.Config) {
	for _, sc := range spec.AllScenarios {
		for _, rounds := range []int{0, 2} {
			for _, control := range []bool{false, true} {
				for _, weak := range []bool{false, true} {
					cfg := model.Config{Scenario: sc, Procs: n, Rounds: rounds, Control: control, WeakReads: weak}
					if cfg.Validate() == nil {
						list = append(list, cfg)
					}
				}
			}
		}
	}
	return list
}

// misuse reports whether callers break the rules of PROTOCOL.md.
func misuse(cfg model.Config) bool { return model.ControlOf(cfg.Scenario) != "" && !cfg.Control }

func brief(r model.Result) string {
	return fmt.Sprintf("%s %s generated %d distinct %d depth %d", r.Verdict, r.Property, r.Generated, r.Distinct, r.Depth)
}

// plainBarrier is the barrier for the oracles, made from Enabled and Apply, not
// from the Machine.
func plainBarrier(cfg model.Config, check []spec.Property) plain[model.State] {
	return plain[model.State]{
		init: model.Init(cfg), procs: cfg.Procs,
		key: func(s model.State) string { return key(cfg, s) },
		next: func(s model.State) (edges []plainEdge[model.State]) {
			for _, a := range model.Enabled(cfg, s) {
				by := a.Proc
				if a.Event != spec.NoEvent {
					by = -1
				}
				edges = append(edges, plainEdge[model.State]{model.Apply(cfg, s, a), by, false})
			}
			return edges
		},
		bad: func(s model.State, p spec.Property) bool {
			return slices.Contains(check, p) && model.Violates(cfg, s, p)
		},
		stuck: func(s model.State) bool { return slices.Contains(check, spec.NoHang) && model.Stuck(cfg, s) },
		waits: func(s model.State) (procs uint16) {
			for p := range cfg.Procs {
				if s.Inside(p) && s.Alive(p) {
					procs |= 1 << p
				}
			}
			return procs
		},
	}
}

// key spells a state out, every part of it; relative rounds up to 3, as beyond
// that the explorer does not count them.
func key(cfg model.Config, s model.State) string {
	all := s.Snapshot(cfg)
	b := make([]byte, 0, 100)
	number := func(x int) { b = append(strconv.AppendInt(b, int64(x), 10), ' ') }
	number(int(all.Words.Enter))
	number(int(all.Words.Exit))
	number(int(all.Words.Flag))
	number(all.Lock)
	if all.OldLock != nil {
		number(*all.OldLock)
	}
	for _, p := range all.Procs {
		if cfg.Rounds == 0 {
			p.Rounds = min(p.Rounds, 3)
		}
		number(int(p.Step))
		number(p.Rounds)
		number(p.Parties)
		b = strconv.AppendBool(b, p.Dead)
		b = strconv.AppendBool(b, p.Noticed)
		if p.Read != nil {
			number(int(*p.Read))
		}
	}
	return string(b)
}
