//go:build linux

package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// A play is a port in black-box mode and the peers that the runner plays. The
// port is process 0 of the model; the runner takes the steps of the others one
// at a time, with the real lock and the real words. It cannot see at which step
// the port is, so it keeps every state of the model that agrees with what it
// has seen: the words, whether the lock can be had, and the answers. An
// observation that agrees with none of them is a mistake of the port, however
// slow the machine is.
type play struct {
	*fixture
	cfg    model.Config
	states []possible
	lock   holding
	moves  []string // what has happened, for messages
	dwell  time.Duration
}

// possible is a state in which the port may be.
type possible struct {
	model.State
	due      string // the answer that the port has yet to write; empty: none
	givingUp bool   // the context of the call has ended
}

// newPlay starts the port, which opens a barrier for n parties.
func (s *subject) newPlay(n int) *play {
	scenario := spec.Reuse
	if s.can.Withdraw {
		scenario = spec.Withdraw
	}
	return s.playOn(s.opened(), model.Config{Scenario: scenario, Procs: n})
}

func (s *subject) playOn(f *fixture, cfg model.Config) *play {
	return &play{fixture: f, cfg: cfg, states: []possible{{State: model.Init(cfg)}}, dwell: spec.Tick + 2*time.Millisecond}
}

func (p *play) close() {
	p.lock.release()
	p.fixture.close()
}

// closure adds every state to which steps of the port lead.
func closure(cfg model.Config, states []possible) []possible {
	seen := map[possible]bool{}
	var list []possible
	add := func(s possible) {
		if !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	for _, s := range states {
		add(s)
	}
	for i := 0; i < len(list); i++ {
		s := list[i]
		if s.Step(0) == spec.Call {
			continue // it waits for a request
		}
		for _, a := range model.Enabled(cfg, s.State) {
			if a.Proc != 0 || a.Event != spec.NoEvent && !(a.Event == spec.GiveUp && s.givingUp) {
				continue
			}
			next := possible{model.Apply(cfg, s.State, a), "", s.givingUp}
			switch {
			case next.Step(0) != spec.Call:
			case a.Step == spec.UnlockExit:
				next.due = port.Returned
			default:
				next.due = port.Withdrawn
			}
			if next.due != "" || next.Step(0) == spec.LockWithdraw {
				next.givingUp = false
			}
			add(next)
		}
	}
	return list
}

// stable reports whether the port can do nothing in s until its peers, or the
// runner, do something.
func stable(cfg model.Config, s possible) bool {
	return s.due == "" && len(closure(cfg, []possible{s})) == 1
}

// holds reports whether a peer that the runner plays holds the lock.
func (p *play) holds() bool { return p.states[0].Holder() > 0 }

// observe reads the words while the lock is held, and the answer if one has
// come. It keeps the states that agree with them.
func (p *play) observe() {
	own := p.holds()
	if !own && !p.acquire() {
		return
	}
	words := p.words()
	answer, came := p.answered()
	if !own {
		p.lock.release()
	}
	if p.err != nil {
		return
	}
	before := closure(p.cfg, p.states)
	var after []possible
	for _, s := range before {
		if s.Words() != words || s.Holder() == 0 {
			continue
		}
		if came && s.due == answer {
			s.due = ""
			after = append(after, s)
		} else if !came {
			after = append(after, s)
		}
	}
	if len(after) == 0 {
		p.err = p.mistake(words, answer, before)
		return
	}
	p.states = after
}

// mistake says what was seen, and what may be seen.
func (p *play) mistake(words spec.Words, answer string, states []possible) error {
	var may []string
	clause := "section 4"
	for _, s := range states {
		if s.Holder() == 0 {
			continue
		}
		if s.givingUp || s.due == port.Withdrawn || s.Step(0) == spec.LockWithdraw {
			clause = "section 5"
		}
		may = append(may, fmt.Sprintf("%v%s (it is %s)", s.Words(), with(s.due), whereabouts(s)))
	}
	slices.Sort(may)
	may = slices.Compact(may)
	if p.holds() {
		clause = "section 3, number 7: another process holds the lock"
	}
	return finding("PROTOCOL.md, "+clause, "after %s: %v%s; right is %s",
		p.history(), words, with(answer), strings.Join(may[:min(4, len(may))], ", or "))
}

func with(answer string) string {
	if answer == "" {
		return ""
	}
	return fmt.Sprintf(" and the answer %.200q", answer)
}

func whereabouts(s possible) string {
	switch {
	case s.Step(0) == spec.Call:
		return "outside"
	default:
		return "at " + s.Step(0).String()
	}
}

// history is the last moves.
func (p *play) history() string {
	moves := p.moves
	text := ""
	const most = 14
	if len(moves) > most {
		moves, text = moves[len(moves)-most:], "… "
	}
	return text + strings.Join(moves, ", ")
}

// answered returns the answer that has come, if any.
func (p *play) answered() (answer string, came bool) {
	p.try(func() (err error) {
		answer, came, err = p.port.TryReceive()
		return err
	})
	return answer, came
}

// awaitRest waits until what is seen agrees with a state in which the port can do
// nothing more, and then watches for a moment that it does not.
func (p *play) awaitRest() {
	for left := p.patience(); p.err == nil; {
		p.observe()
		if p.err != nil {
			return
		}
		if slices.ContainsFunc(p.states, func(s possible) bool { return stable(p.cfg, s) }) {
			break
		}
		if left.Spent() {
			p.err = p.stuck()
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
	if p.err == nil {
		time.Sleep(p.dwell)
		p.observe()
	}
	p.states = closure(p.cfg, p.states)
	p.states = slices.DeleteFunc(p.states, func(s possible) bool { return s.Holder() == 0 || s.Words() != p.states[0].Words() })
}

// stuck says that the port does not go on.
func (p *play) stuck() error {
	s := p.states[0]
	want := ""
	for _, t := range closure(p.cfg, p.states) {
		if stable(p.cfg, t) {
			want = fmt.Sprintf("%v, it is %s", t.Words(), whereabouts(t))
		}
	}
	clause := "PROTOCOL.md, section 4"
	if s.givingUp || s.due == port.Withdrawn {
		clause = "PROTOCOL.md, section 5"
	}
	what := "it does not go on"
	if s.due != "" {
		what = fmt.Sprintf("it does not answer %q", s.due)
	}
	return finding(clause, "after %s: %s in %v: %v, it is %s; want %s", p.history(), what, p.subject.Limit, s.Words(), whereabouts(s), want)
}

// acquire takes the lock for the runner.
func (p *play) acquire() bool {
	if p.err != nil {
		return false
	}
	for left, tries := p.patience(), 0; ; tries++ {
		if tries == 200 {
			p.port.Continue() // it was stopped when it had just taken the lock
		}
		held, err := p.lock.attempt(p.lockPath)
		answer, failed := "", false
		if !held && tries >= 200 {
			answer, failed = p.port.Failed()
		}
		switch {
		case err != nil:
			p.err = err
			return false
		case held:
			return true
		case failed:
			p.err = finding("PORTS.md, section 2: errors", "after %s: it answers %.300q and keeps the lock", p.history(), answer)
			return false
		case left.Spent():
			p.err = finding("PROTOCOL.md, section 3, number 3", "after %s: it keeps the lock for %v", p.history(), p.subject.Limit)
			return false
		case p.subject.ctx.Err() != nil:
			p.err = p.subject.ctx.Err()
			return false
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// A choice is what can happen next, apart from steps of the port.
type choice struct {
	request string          // to the port; empty: peers take steps
	actions [4]model.Action // of the peers, one after the other
	steps   int             // how many
}

// step is the choice of one action.
func step(a model.Action) choice { return choice{actions: [4]model.Action{a}, steps: 1} }

// list returns the actions.
func (c choice) list() []model.Action { return c.actions[:c.steps] }

func (c choice) String() string {
	switch {
	case c.request != "":
		return c.request
	}
	var list []string
	for _, a := range c.list() {
		if a.Event != spec.NoEvent {
			list = append(list, fmt.Sprintf("peer %d gives up at %v", a.Proc, a.Step))
		} else {
			list = append(list, fmt.Sprintf("peer %d %v", a.Proc, a.Step))
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return "while it is stopped " + strings.Join(list, " and ")
}

// choices lists what can happen in states.
func choices(cfg model.Config, states []possible, withdraws bool) (list []choice) {
	any := func(is func(possible) bool) bool { return slices.ContainsFunc(states, is) }
	switch {
	case !any(func(s possible) bool { return s.Step(0) != spec.Call || s.due != "" }):
		list = append(list, choice{request: fmt.Sprintf("call %d", cfg.Procs)})
		if withdraws {
			list = append(list, choice{request: "giveup"})
		}
	case withdraws && !any(func(s possible) bool { return s.givingUp || s.Step(0) == spec.LockWithdraw || s.Step(0) == spec.Call }):
		list = append(list, choice{request: "giveup"})
	}
	for _, a := range model.Enabled(cfg, states[0].State) {
		if a.Proc > 0 {
			list = append(list, step(a))
			if a.Event == spec.NoEvent && a.Step.Lock() == spec.Release {
				list = append(list, handovers(cfg, states[0].State, a)...)
			}
		}
	}
	return list
}

// handovers lists the ways in which a peer takes the lock right after another
// one, or the same, has released it by a. The port is stopped meanwhile, as the
// scheduler may do to it.
func handovers(cfg model.Config, s model.State, a model.Action) (list []choice) {
	s = model.Apply(cfg, s, a)
	for q := 1; q < cfg.Procs; q++ {
		c, t := step(a), s
		for c.steps < len(c.actions) {
			i := slices.IndexFunc(model.Enabled(cfg, t), func(b model.Action) bool { return b.Proc == q && b.Event == spec.NoEvent })
			if i < 0 {
				break
			}
			b := model.Enabled(cfg, t)[i]
			t = model.Apply(cfg, t, b)
			c.actions[c.steps] = b
			c.steps++
			if b.Step.Lock() == spec.Acquire {
				list = append(list, c)
				break
			}
		}
	}
	return list
}

// after returns the states after c, before the port moves.
func after(cfg model.Config, states []possible, c choice) (list []possible) {
	for _, s := range states {
		switch {
		case strings.HasPrefix(c.request, "call"):
			s.State = model.Apply(cfg, s.State, model.Action{Step: spec.Call, Parties: cfg.Procs})
			s.givingUp = false
		case c.request == "giveup":
			s.givingUp = s.Step(0) != spec.Call
		}
		ok := true
		for _, a := range c.list() {
			if ok = slices.Contains(model.Enabled(cfg, s.State), a); !ok {
				break
			}
			s.State = model.Apply(cfg, s.State, a)
		}
		if ok {
			list = append(list, s)
		}
	}
	return list
}

// play makes c happen. It does not wait for the port.
func (p *play) play(c choice) {
	if p.err != nil {
		return
	}
	p.moves = append(p.moves, c.String())
	if c.request != "" {
		p.send(c.request)
		p.states = after(p.cfg, p.states, c)
		return
	}
	list := c.list()
	if c.steps > 1 {
		defer p.port.Continue()
		if !p.port.Stop() {
			list = list[:1]
			p.moves[len(p.moves)-1] = step(list[0]).String()
		}
	}
	for _, a := range list {
		p.take(a)
	}
}

// take has a peer take a step.
func (p *play) take(a model.Action) {
	if p.err != nil {
		return
	}
	real := a.Event == spec.NoEvent // a peer that gives up does nothing at once
	if real && a.Step.Lock() == spec.Acquire {
		if !p.acquire() {
			return
		}
		p.states = slices.DeleteFunc(closure(p.cfg, p.states), func(s possible) bool { return s.Holder() >= 0 })
		// What the words are now says how far the port is.
		words := p.words()
		if list := slices.DeleteFunc(slices.Clone(p.states), func(s possible) bool { return s.Words() != words }); len(list) > 0 {
			p.states = list
		} else if p.err == nil {
			p.err = p.mistake(words, "", p.states)
			return
		}
	}
	old := p.states[0].Words()
	p.states = after(p.cfg, p.states, step(a))
	if len(p.states) == 0 {
		p.err = fmt.Errorf("conformance: peer %d cannot take %v after %s", a.Proc, a.Step, p.history())
		return
	}
	if real && a.Step.Lock() == spec.Held {
		p.change(old, p.states[0].Words())
	}
	if real && a.Step.Lock() == spec.Release {
		p.lock.release()
	}
}

// key is the same for the same states.
func key(states []possible) string {
	var list []string
	for _, s := range states {
		list = append(list, fmt.Sprint(s))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ";")
}

// byWords groups the states in which the port may come to rest by what is seen
// of them.
func byWords(cfg model.Config, states []possible) (groups [][]possible) {
	index := map[spec.Words]int{}
	all := closure(cfg, states)
	for i, s := range all {
		if all[i].due != "" { // it will be read
			all[i].due = ""
			s = all[i]
		}
		if _, ok := index[s.Words()]; !ok && s.Holder() != 0 && stable(cfg, s) {
			index[s.Words()] = len(groups)
			groups = append(groups, nil)
		}
	}
	for _, s := range all {
		if i, ok := index[s.Words()]; ok && s.Holder() != 0 && !slices.Contains(groups[i], s) {
			groups[i] = append(groups[i], s)
		}
	}
	slices.SortFunc(groups, func(a, b []possible) int { return cmp.Compare(key(a), key(b)) })
	return groups
}
