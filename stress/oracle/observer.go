//go:build linux

package oracle

import (
	"fmt"
	"slices"

	"sharedbarrier/spec"
)

// An Observer judges for one worker, while the worker is in its calls, the
// safety properties of HAZARDS.md, section 1, and records what it has met. The
// workers of a run see each other only in the ledger. Its methods are for the
// goroutine that calls the barrier.
type Observer struct {
	ledger *Ledger
	worker int
	words  func() spec.Words // nil: unreadable

	begun    int64       // the call that it has begun last
	answers  int64       // of the port that it observes for; 0: the worker takes its steps itself
	inside   bool        // between an acquire and its release
	mark     int64       // what it has written into the holder word there
	shared   bool        // and has found that it is not alone there
	suspects []suspicion // that nobody has confirmed yet
}

// Observer returns the observer of a worker. It reads the words of the segment
// with words, unless that is nil.
func (l *Ledger) Observer(worker int, words func() spec.Words) *Observer {
	return &Observer{ledger: l, worker: worker, words: words}
}

// A Refutation is a safety property that a worker has seen to fail.
type Refutation struct {
	Property string `json:"property"` // name of the spec.Property
	Worker   int    `json:"worker"`   // the one that saw it
	Round    int64  `json:"round"`    // its call, counted from 1
	Why      string `json:"why"`
}

// String describes the refutation in one line.
func (r Refutation) String() string {
	return fmt.Sprintf("%s fails: worker %d, in its call %d, %s", r.Property, r.Worker, r.Round, r.Why)
}

// refute counts the refutation of p.
func (o *Observer) refute(p spec.Property, format string, args ...any) Refutation {
	o.me().refuted[p].Add(1)
	return Refutation{p.String(), o.worker, o.begun, fmt.Sprintf(format, args...)}
}

func (o *Observer) me() *entry { return &o.ledger.entries[o.worker] }

// Begin records that the worker is about to begin its call of the round, at the
// time now, and passes the party count. See Ledger.Begin. It checks Quiescent.
func (o *Observer) Begin(round int64, parties int, now int64) []Refutation {
	o.begun = round
	found := o.quiescent()
	o.me().parties.Store(int64(parties))
	o.me().step.Store(int64(spec.Call))
	o.ledger.Begin(o.worker, round, now)
	return found
}

// Return records that the worker has returned from its call of the round. It
// checks NoEarlyExit (see Ledger.Return) and Quiescent.
func (o *Observer) Return(round int64) (early []Violation, found []Refutation) {
	found = o.end()
	early = o.ledger.Return(o.worker, round)
	return early, append(found, o.quiescent()...)
}

// Leave records that the worker has left its call of the round before the call
// was complete: it has withdrawn, or abandoned its wait. The call counts as
// neither begun nor completed. It checks Quiescent.
func (o *Observer) Leave(round int64, ending Ending) []Refutation {
	found := o.end()
	o.ledger.Leave(o.worker, round, ending)
	return append(found, o.quiescent()...)
}

// end ends the steps of a call.
func (o *Observer) end() []Refutation {
	if o.answers > 0 {
		o.Answered()
	}
	o.leave()
	o.me().step.Store(int64(spec.Call))
	return o.confirmed()
}

// Refuse records that the barrier has refused the call of the worker. The
// worker counts as one that is in its call and never goes on: the model has no
// refusal, and such a process cannot be told from it.
func (o *Observer) Refuse() { o.leave() }

// Die records that the worker dies now, at the step that it is at.
func (o *Observer) Die() {
	step := spec.Step(o.me().step.Load())
	o.meetIf(DeathWithLock, step.Holds())
	o.me().dead.Store(1)
}

// Answered records that the port of the worker has answered. The worker calls it
// before the Step that the port has announced; Return and Leave are answers, too.
//
// A port may have been killed, and its lock be another's, when its worker
// handles what it has announced. Its next answer shows that it was alive, and
// in its section, when the worker let it go on.
func (o *Observer) Answered() { o.answers = o.me().answers.Add(1) }

// Step records that the worker takes the step next, before it takes it, and the
// words as it reads them now. Between an acquire and its release it checks
// LockExclusive and WordsInRange. It may be called again for the same step.
//
// LockExclusive is refuted when both holders are known to have had the lock: at
// once, or when the ports among them have answered again.
func (o *Observer) Step(s spec.Step, w spec.Words) (found []Refutation) {
	o.me().step.Store(int64(s))
	if s.Holds() {
		o.hold(s)
		if n := int32(len(o.ledger.entries)); !inRange(w, n) {
			found = append(found, o.refute(spec.WordsInRange, "at %v: %v", s, w))
		}
	} else {
		o.leave()
	}
	o.meet(s, w)
	return append(o.confirmed(), found...)
}

// Wait records that the worker waits before it takes the step, and the words as
// it reads them now. Step must follow. Before a release the worker still has the
// lock, and only Step checks the properties.
func (o *Observer) Wait(s spec.Step, w spec.Words) []Refutation {
	if s.Lock() != spec.Release {
		return o.Step(s, w)
	}
	o.me().step.Store(int64(s))
	o.meet(s, w)
	return nil
}

// hold writes the holder word when the worker has the lock, and takes that back
// before it releases it. All that the worker sees the word change in between was
// written by one that had the lock then, or by one whose port has died since.
// Who dies leaves its mark, which the next one replaces: only a worker that goes
// on can see a change.
func (o *Observer) hold(s spec.Step) {
	if !o.inside {
		o.mark = o.answers<<16 | int64(o.worker) + 1
		o.ledger.header.holder.Store(o.mark)
		o.inside, o.shared = true, false
	}
	seen := o.ledger.header.holder.Load()
	if s.Lock() == spec.Release && !o.leave() {
		seen = o.ledger.header.holder.Load()
	}
	if seen != o.mark && !o.shared { // once in a section
		o.shared = true
		o.suspects = append(o.suspects, suspicion{s, o.begun, o.answers, seen})
	}
}

// leave ends a critical section. It returns false if the mark is not that of the
// worker any more. A mark that may be that of a dead port stays.
func (o *Observer) leave() bool {
	taken := !o.inside || !o.lived(o.mark) || o.ledger.header.holder.CompareAndSwap(o.mark, 0)
	o.inside = false
	return taken
}

// lived reports whether the worker that has written the mark is known to have
// had the lock then. It is if it has taken the mark back: 0.
func (o *Observer) lived(mark int64) bool {
	answers := mark >> 16
	return answers == 0 || o.ledger.entries[mark&0xffff-1].answers.Load() > answers
}

// A suspicion is that another worker has held the lock at a step of this one.
type suspicion struct {
	step    spec.Step
	call    int64
	answers int64 // of the own port
	mark    int64 // of the other worker
}

// confirmed returns the refutations that were suspicions.
func (o *Observer) confirmed() (found []Refutation) {
	o.suspects = slices.DeleteFunc(o.suspects, func(s suspicion) bool {
		is := o.lived(s.mark) && (s.answers == 0 || o.answers > s.answers)
		if is {
			r := o.refute(spec.LockExclusive, "at %v, while another holds the lock, too", s.step)
			r.Round = s.call
			found = append(found, r)
		}
		return is
	})
	return found
}

// inRange reports whether the words are in range for n processes.
func inRange(w spec.Words, n int32) bool {
	return 0 <= w.Enter && w.Enter <= n && spec.NotSet <= w.Exit && w.Exit <= n && (w.Flag == spec.Down || w.Flag == spec.Up)
}

// quiescent checks Quiescent. All workers were outside at the moment at which
// it read the words, if all were outside when it looked before, and none has
// begun a call when it looks again.
func (o *Observer) quiescent() []Refutation {
	if o.words == nil {
		return nil
	}
	entries := o.ledger.entries
	var before [64]int64
	if len(entries) > len(before) {
		return nil // hardly ever are so many outside at once
	}
	for i := range entries {
		before[i] = entries[i].started.Load()
		if entries[i].ended.Load() != before[i] {
			return nil
		}
	}
	w := o.words()
	for i := range entries {
		if entries[i].started.Load() != before[i] {
			return nil
		}
	}
	if n := int32(len(entries)); w.Enter == 0 && (w.Exit == spec.NotSet || w.Exit == n) {
		return nil
	}
	return []Refutation{o.refute(spec.Quiescent, "every process is outside: %v", w)}
}

// Refuted returns how often the workers have seen the property to fail.
func (l *Ledger) Refuted(p spec.Property) (sum int64) {
	for i := range l.entries {
		sum += l.entries[i].refuted[p].Load()
	}
	return sum
}

// Refutes reports whether the worker has seen the property to fail.
func (l *Ledger) Refutes(worker int, p spec.Property) bool {
	return l.entries[worker].refuted[p].Load() > 0
}

// Turns returns how many turns of a schedule are over.
func (l *Ledger) Turns() int64 { return l.header.turns.Load() }

// EndTurn records that the turn with the number, from 0, is over, and all
// before it.
func (l *Ledger) EndTurn(number int) {
	for over := l.Turns(); over <= int64(number); over = l.Turns() {
		l.header.turns.CompareAndSwap(over, int64(number)+1)
	}
}
