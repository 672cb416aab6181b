package group

import "sharedbarrier/spec"

// take makes s the state after the next step of a thread of member p, with one
// case for each step in the order of GROUP.md. The step must be enabled.
func (s *State) take(cfg *Config, id int8, p int, me *thread) {
	at := me.at
	defer func() { me.at = cfg.turned(at, me.at) }()
	switch at {

	// Section 4: a call.

	case spec.Begin:
		if me.mine < s.turn && !cfg.breaks(neverTold) {
			s.tell(me.mine, s.turn)
			me.mine = s.turn
			return
		}
		me.round = s.turn
		me.at = spec.Arrive
	case spec.Arrive:
		s.slots[p].round, s.slots[p].arrival = me.round, arrived
		s.torn = s.torn || me.mine < me.round // nobody has told it of a round that was broken
		me.at = spec.Gather
	case spec.Gather:
		switch {
		case s.turn > me.round && !me.asleep:
			me.at = spec.Return
		case s.due(cfg, me):
			me.at, me.asleep = spec.LockRound, false
		default:
			me.asleep = true
		}
	case spec.LockRound:
		s.lock = id
		me.at = spec.Repair

	// Section 5: a section.

	case spec.Repair:
		switch {
		case s.phase == 0:
			me.at = spec.Settle
		case s.phase == 2 && s.words.Flag != spec.Down:
			me.at = spec.Owe
		default:
			me.at = spec.Reopen
		}
	case spec.Reopen:
		s.phase = 1
		me.at = spec.UndoEnter
	case spec.UndoEnter:
		s.words.Enter = s.old.Enter
		me.at = spec.UndoExit
	case spec.UndoExit:
		s.words.Exit = s.old.Exit
		me.at = spec.UndoFlag
	case spec.UndoFlag:
		s.words.Flag = s.old.Flag
		me.at = spec.Close
	case spec.Close:
		s.phase, s.taken, s.round, s.old = 0, 0, 0, spec.Words{}
		me.at = spec.Settle
	case spec.Settle:
		f := int32(cfg.parties()) - int32(s.owed)
		switch exit := s.words.Exit; {
		case s.owed == 0:
			me.at = spec.Break
		case exit == spec.NotSet || exit > f:
			me.at = spec.Settled
		case exit+int32(s.owed) > f || cfg.breaks(settleAtOnce):
			me.at = spec.CarryCountExit
		default:
			me.at = spec.Break
		}
	case spec.CarryCountExit:
		s.words.Exit += int32(s.owed)
		if s.words.Exit == int32(cfg.parties()) {
			s.words.Exit = spec.NotSet
		}
		me.at = spec.Settled
	case spec.Settled:
		s.owed = 0
		me.at = spec.Break
	case spec.Break:
		switch {
		case cfg.breaks(joinsUnbroken) && me.role == joiner:
			me.at = s.own(me)
		case s.anySlot(func(o slot) bool { return o.owner == died && o.broken == 0 }):
			me.at = spec.Mark
		case s.anySlot(func(o slot) bool { return o.owner == died && o.broken == s.turn }):
			me.at = spec.TurnBroken
		default:
			me.at = s.own(me)
		}
	case spec.Mark: // its notes in the header do not matter here
		for i := range s.slots {
			if o := &s.slots[i]; o.owner == died && o.broken == 0 {
				o.broken = s.turn
			}
		}
		me.at = spec.TurnBroken
	case spec.TurnBroken:
		s.turn, s.broken, me.ended = s.turn+1, true, true
		me.at = s.own(me)

	case spec.Judge:
		switch {
		case me.role == guardian || s.turn != me.round:
			me.at = spec.UnlockRound
		case s.words.Exit == spec.NotSet:
			me.at = spec.CarryInitExit
		default:
			me.at = spec.Take
		}
	case spec.CarryInitExit:
		s.words.Exit = int32(cfg.parties())
		me.at = spec.Take
	case spec.Take:
		if !s.complete(cfg, me.round) {
			me.at = spec.UnlockRound
			return
		}
		for i := range s.slots {
			if o := &s.slots[i]; o.round == me.round && o.arrival != outside {
				o.arrival = cfg.takenAs()
			}
		}
		me.at = spec.Open
	case spec.Open:
		s.old, s.taken, s.round, s.phase = s.words, s.count(cfg.takenAs(), me.round), me.round, 1
		if cfg.breaks(readyAtOpen) {
			s.phase = 2
		}
		me.at = spec.Ready
		if s.words.Enter == 0 {
			me.at = spec.CarryLowerFlag
		}
	case spec.CarryLowerFlag:
		s.words.Flag = spec.Down
		me.at = spec.Ready
	case spec.Ready:
		s.phase = 2
		me.at = spec.CarryResetEnter
	case spec.CarryResetEnter:
		s.words.Enter = 0
		me.at = spec.CarryResetExit
	case spec.CarryResetExit:
		s.words.Exit = 0
		me.at = spec.CarryRaiseFlag
	case spec.CarryRaiseFlag:
		s.words.Flag = spec.Up
		s.commit(cfg)
		me.at = spec.Owe
	case spec.Owe:
		s.owed = s.taken
		me.at = spec.Complete
	case spec.Complete:
		s.completed = s.round
		if cfg.breaks(redoesCurrent) {
			s.completed = s.turn
		}
		me.at = spec.Turn
	case spec.Turn:
		s.turn, s.broken, me.ended = s.round+1, false, true
		me.at = spec.Close

	case spec.UnlockRound:
		s.lock = free
		if me.role == guardian {
			me.mine = s.turn // it has handled all rounds before
		}
		me.at = spec.Wake
		if !me.ended && (me.role == caller || cfg.breaks(wakesOnlyAfterRounds)) {
			s.leaveSection(me)
		}
	case spec.Wake:
		for i := range s.calls {
			s.calls[i].asleep = s.calls[i].asleep && cfg.breaks(noWake)
		}
		me.ended = false
		s.leaveSection(me)

	case spec.Return:
		if s.completed >= me.round {
			s.succeed(me.round)
		} else {
			s.tell(me.round, me.round+1)
		}
		s.slots[p].round, s.slots[p].arrival = 0, outside
		me.mine = me.round + 1
		me.round, me.final = 0, false
		me.at = spec.Begin
	case spec.Retract:
		if s.slots[p].arrivedIn(me.round) || cfg.breaks(retractsTaken) {
			s.slots[p].round, s.slots[p].arrival = 0, outside
			me.round = 0
			me.at = spec.Begin
		} else {
			me.final = true
			me.at = spec.Gather
		}

	case spec.Watch:
		me.at = spec.LockRound

	// Section 7: membership.

	case spec.Claim:
		s.slots[p] = slot{owner: live}
		me.mine = s.turn
		s.guards[p] = thread{role: guardian, at: spec.Watch, mine: s.turn}
		me.at = spec.Mend
	case spec.Mend:
		if !s.anySlot(func(o slot) bool { return o.owner == died }) || cfg.breaks(mendsAlways) {
			s.broken = false
		}
		me.at = spec.UnlockRound
	case spec.Vacate:
		s.slots[p] = slot{}
		s.guards[p] = thread{}
		me.at = spec.UnlockRound
	case spec.Bury:
		for i := range s.slots {
			if s.slots[i].owner == died {
				s.slots[i] = slot{}
			}
		}
		me.at = spec.Mend
		if me.role == joiner {
			me.at = spec.Claim
		}
	}
}

// own returns the step at which the thread's own part of the section begins.
func (s *State) own(me *thread) spec.MemberStep {
	switch me.role {
	case joiner:
		if !s.anySlot(func(o slot) bool { return o.owner == live }) {
			return spec.Bury
		}
		return spec.Claim
	case leaver:
		return spec.Vacate
	case resetter:
		return spec.Bury
	default:
		return spec.Judge
	}
}

// leaveSection sends the thread to where it was.
func (s *State) leaveSection(me *thread) {
	switch me.role {
	case guardian:
		me.at = spec.Watch
	case caller:
		me.at = spec.Gather
	case leaver:
		*me = thread{}
	default:
		me.role, me.at = caller, spec.Begin
	}
}

// due reports whether a call at Gather takes a section. A section by which
// nothing changes is left out. (While a rank is vacant a member takes one at
// least once per tick.)
func (s *State) due(cfg *Config, me *thread) bool {
	switch {
	case s.anyRank(cfg, func(o slot) bool { return o.owner == vacant }): // also while it sleeps
		return s.phase != 0 || s.settles(cfg) ||
			s.anySlot(func(o slot) bool { return o.owner == died && o.broken == 0 }) ||
			s.turn == me.round && (s.words.Exit == spec.NotSet || s.complete(cfg, me.round))
	case me.asleep:
		return false
	default:
		return !s.anyRank(cfg, func(o slot) bool { return !o.arrivedIn(me.round) }) ||
			s.anySlot(func(o slot) bool { return o.owner == died && o.broken == 0 })
	}
}

// settles reports whether members can be counted in exit now.
func (s *State) settles(cfg *Config) bool {
	f := int32(cfg.parties()) - int32(s.owed)
	return s.owed > 0 && (s.words.Exit == spec.NotSet || s.words.Exit+int32(s.owed) > f)
}

// complete reports whether all parties of the round are there, and have left
// the last one. (That exit is n follows as long as no member takes the place of
// a foreign party, which no Config has.)
func (s *State) complete(cfg *Config, round uint8) bool {
	n := int32(cfg.parties())
	if cfg.breaks(takesEarly) {
		n--
	}
	return int32(s.count(arrived, round)+s.count(taken, round))+s.words.Enter == n && s.words.Exit == int32(cfg.parties())
}

// takenAs is what Take makes of an arrival.
func (cfg *Config) takenAs() arrival {
	if cfg.breaks(takesUnmarked) {
		return arrived
	}
	return taken
}

func (o slot) arrivedIn(round uint8) bool { return o.arrival == arrived && o.round == round }

func (s *State) count(a arrival, round uint8) (n int8) {
	for _, o := range s.slots {
		if o.arrival == a && o.round == round {
			n++
		}
	}
	return n
}

func (s *State) anySlot(is func(slot) bool) bool {
	for _, o := range s.slots {
		if is(o) {
			return true
		}
	}
	return false
}

// anyRank is anySlot of all ranks, those of foreign parties included, which are
// vacant.
func (s *State) anyRank(cfg *Config, is func(slot) bool) bool {
	for _, o := range s.slots[:cfg.parties()] {
		if is(o) {
			return true
		}
	}
	return false
}

// What no process sees.

// commit notes that the round of the journal is committed, and whether a party
// was missing.
func (s *State) commit(cfg *Config) {
	for p := range cfg.Members {
		if s.slots[p].arrival != cfg.takenAs() || s.slots[p].round != s.round {
			s.early = true
		}
	}
	for _, f := range s.foreign[:cfg.Foreign] {
		if f.rounds+f.inside() <= s.done {
			s.early = true
		}
	}
	s.done++
	s.committed |= 1 << s.round
	s.torn = s.torn || s.told>>s.round&1 != 0
}

// succeed notes that a call of the round returned nil.
func (s *State) succeed(round uint8) { s.torn = s.torn || s.committed>>round&1 == 0 }

// tell notes that a call of the rounds from the first on, up to the end,
// returned the error.
func (s *State) tell(first, end uint8) {
	for r := first; r < end; r++ {
		s.told |= 1 << r
		s.torn = s.torn || s.committed>>r&1 != 0
	}
}
