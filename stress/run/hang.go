//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/oracle"
)

// A Hang is the state of a run that hangs, is held up by a process that does
// not run, or was interrupted and did not end.
type Hang struct {
	Why     string `json:"why"`
	Missing string `json:"missing,omitempty"` // the workers that are dead, or have begun fewer calls than others, as ranges

	Words     *spec.Words `json:"words"`                     // nil: unreadable
	Holder    int         `json:"lock_holder"`               // the worker that holds the lock, itself or by a descendant; -1: none
	HolderPID int         `json:"lock_holder_pid,omitempty"` // the process that holds the lock; 0: none, -1: unknown
	Waiters   []int       `json:"lock_waiters,omitempty"`    // processes that block in flock(2)
	Unseen    string      `json:"unseen,omitempty"`          // why the words are unreadable or the holder is unknown
	Since     float64     `json:"since_seconds,omitempty"`   // for how long no worker has moved; 0: not known
	MovedLast string      `json:"moved_last,omitempty"`      // what the workers did that moved last
	Workers   []Worker    `json:"workers"`

	Status inspect.Status  `json:"status,omitempty"` // what two looks from outside have shown; empty: they were not made
	Causes []inspect.Cause `json:"causes,omitempty"` // why nothing moves, the likeliest first
	death  bool            // a worker has died
}

// A Worker is the state of one worker in a run that hangs.
type Worker struct {
	Worker   int        `json:"worker"` // its number, from 0
	PID      int        `json:"pid"`
	Port     string     `json:"port,omitempty"`
	Step     *spec.Step `json:"step,omitempty"`    // its next step; nil: unknown, as with a port or without pauses
	Begun    int64      `json:"begun"`             // calls
	Returned int64      `json:"returned"`          // calls
	State    string     `json:"state"`             // running, stopped, unknown, or how it ended
	Failure  string     `json:"failure,omitempty"` // the error that it has reported, and that ended it
	Stderr   string     `json:"stderr,omitempty"`  // the end of the standard error of its port
}

// hang describes the state of the run, and asks inspect for the cause. After a
// death the others may go on for a while: hang then waits until they do not.
func (r *run) hang(ctx context.Context, why string) (h *Hang) {
	for range 5 {
		h = r.state(why)
		h.death = slices.ContainsFunc(r.workers, (*process).isGone)
		found, err := inspect.Inspect(ctx, r.target, inspect.Options{Parties: r.parties(h), For: r.between, Broken: r.broken()})
		switch {
		case err == nil:
			h.Status, h.Causes, h.Waiters = found.Status, found.Causes, found.Waiters
		case ctx.Err() == nil && h.Unseen == "":
			h.Unseen = err.Error()
		}
		if !h.death || h.Status != inspect.Moving && !r.stepped(h) {
			break
		}
	}
	return h
}

// stepped reports whether a worker has announced another step since h was made:
// then h is not of one moment.
func (r *run) stepped(h *Hang) bool {
	for i, w := range h.Workers {
		if w.Step != nil && *w.Step != r.recorder.Step(i) {
			return true
		}
	}
	return false
}

// broken returns the scenarios that the faults have made so far.
func (r *run) broken() (list []spec.Scenario) {
	for i, in := range r.injected() {
		if scenario, breaks := r.Faults[i].Breaks(); breaks && in.Happened > 0 {
			list = append(list, scenario)
		}
	}
	return list
}

// parties returns what the workers have said of themselves.
func (r *run) parties(h *Hang) (list []inspect.Party) {
	for i, p := range r.workers {
		w := h.Workers[i]
		list = append(list, inspect.Party{
			Owns:   func(pid int) bool { has, err := procgroup.Has(p.pid(), pid); return err == nil && has },
			Gone:   p.isGone(),
			Inside: w.Begun > w.Returned,
			Step:   w.Step,
		})
	}
	return list
}

// heldUp reports whether no worker has died, and the run may go on when a
// process does that is stopped, or waits for a processor.
func (h *Hang) heldUp() bool { return !h.death && (h.Status == inspect.HeldUp || h.starves()) }

func (h *Hang) starves() bool { return h.Status == inspect.Starves }

// state describes the state of the run. As long as a worker moves meanwhile, it
// tries again, so that all it reports belongs to one moment.
func (r *run) state(why string) (h *Hang) {
	for range 100 {
		before := r.entries()
		h = r.survey(why, before)
		if slices.Equal(before, r.entries()) {
			break
		}
	}
	return h
}

func (r *run) entries() (list []oracle.Entry) {
	for i := range r.workers {
		list = append(list, r.ledger.Entry(i))
	}
	return list
}

// survey describes the state of the run whose ledger has the entries. A port
// can make the segment unreadable and replace the lock file: Unseen says so.
func (r *run) survey(why string, entries []oracle.Entry) *Hang {
	h := &Hang{Why: why, Holder: -1}
	words, unreadable := r.barrier.Words()
	if unreadable == nil {
		h.Words = &words
	}
	holder, unknown := lockprobe.Holder(r.lockPath)
	if h.HolderPID = max(0, holder); unknown != nil {
		h.HolderPID = -1
	}
	if err := errors.Join(unreadable, unknown); err != nil {
		h.Unseen = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	for i, p := range r.workers {
		e := entries[i]
		if has, err := procgroup.Has(p.pid(), holder); err == nil && has {
			h.Holder = i
		}
		w := Worker{Worker: i, PID: p.pid(), Port: p.port, Begun: e.Begun, Returned: e.Returned, State: p.state()}
		if p.announces.Load() {
			w.Step = new(r.recorder.Step(i))
		}
		if p.isGone() && p.found != nil {
			w.Failure = p.found.Failure
		}
		h.Workers = append(h.Workers, w)
	}
	h.Missing = r.missing(entries)
	if r.moved.note(time.Now(), entries); !r.moved.at.IsZero() {
		h.Since, h.MovedLast = time.Since(r.moved.at).Seconds(), r.moved.String()
	}
	return h
}

// A move is what the workers did that moved last.
type move struct {
	at   time.Time
	by   map[int][2]oracle.Entry // by worker, its entry before and after
	seen []oracle.Entry          // at the last look
}

// note brings the last move up to date with the ledger.
func (m *move) note(now time.Time, entries []oracle.Entry) {
	if m.seen == nil {
		m.seen = make([]oracle.Entry, len(entries))
	}
	by := map[int][2]oracle.Entry{}
	for i, after := range entries {
		if before := m.seen[i]; before != after {
			by[i] = [2]oracle.Entry{before, after}
		}
	}
	if m.seen = entries; len(by) > 0 {
		m.at, m.by = now, by
	}
}

// String says what each worker did.
func (m move) String() string {
	var did groups
	for _, i := range slices.Sorted(maps.Keys(m.by)) {
		before, after := m.by[i][0], m.by[i][1]
		switch {
		case after.Returned > before.Returned && after.Returned == after.Begun:
			did.add(i, fmt.Sprintf("returned from call %d", after.Returned))
		case after.Begun > before.Begun:
			did.add(i, fmt.Sprintf("began call %d", after.Begun))
		default:
			did.add(i, fmt.Sprintf("came to %v", after.Step))
		}
	}
	return did.list("worker %s %s")
}

// Groups are workers of which the same is said, in the order of their numbers.
type groups []group

type group struct {
	workers []int
	text    string
}

func (g *groups) add(worker int, text string) {
	i := slices.IndexFunc(*g, func(h group) bool { return h.text == text })
	if i < 0 {
		i = len(*g)
		*g = append(*g, group{text: text})
	}
	(*g)[i].workers = append((*g)[i].workers, worker)
}

// list formats the numbers of each group, as ranges, and what is said of them.
func (g groups) list(format string) string {
	var parts []string
	for _, h := range g {
		parts = append(parts, fmt.Sprintf(format, inspect.Ranges(h.workers), h.text))
	}
	return strings.Join(parts, "; ")
}

// missing returns the workers that are dead, or have begun fewer calls than
// others.
func (r *run) missing(entries []oracle.Entry) string {
	var most int64
	for _, e := range entries {
		most = max(most, e.Begun)
	}
	var list []int
	for i, e := range entries {
		if r.workers[i].isGone() || e.Begun < most {
			list = append(list, i)
		}
	}
	return inspect.Ranges(list)
}

// text writes the state as part of Report.Text.
func (h *Hang) text(out io.Writer, verdict spec.Verdict) {
	title := "Hang"
	switch {
	case verdict == spec.Hang:
	case h.heldUp():
		title = "Held up, no hang"
	default:
		title = "Interrupted"
	}
	fmt.Fprintf(out, "\n%s: %s.\n\n", title, h.Why)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	h.Autopsy().Rows(table)
	table.Flush()
	if h.Unseen != "" {
		fmt.Fprintf(out, "\nUnseen: %s.\n", h.Unseen)
	}
	fmt.Fprintln(out)
	fmt.Fprintln(table, "worker\tpid\tbegun\treturned\tnext step\tstate")
	for _, w := range h.Workers {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%s\t%s\n", w.Worker, w.PID, w.Begun, w.Returned, w.next(), w.State)
	}
	table.Flush()
	for _, w := range h.Workers {
		if w.Stderr != "" {
			fmt.Fprintf(out, "\nThe standard error of the port of worker %d ends with %q.\n", w.Worker, w.Stderr)
		}
	}
	inspect.WriteCauses(out, h.Causes)
}

// Autopsy returns what the state has for people: the workers by number.
func (h *Hang) Autopsy() inspect.Autopsy {
	a := inspect.Autopsy{Words: "unreadable", Lock: h.lock(), Since: "not known"}
	if h.Words != nil {
		a.Words = h.Words.String()
	}
	if h.Missing != "" {
		a.Missing = fmt.Sprintf("worker %s of %d", h.Missing, len(h.Workers))
	}
	if h.MovedLast != "" {
		a.Since = fmt.Sprintf("%.1fs ago: %s", h.Since, h.MovedLast)
	}
	var alive, stopped []int
	var dead groups
	for _, w := range h.Workers {
		switch w.State {
		case "running", "unknown":
			alive = append(alive, w.Worker)
		case "stopped":
			stopped = append(stopped, w.Worker)
		default:
			dead.add(w.Worker, w.State)
		}
	}
	a.Alive, a.Stopped, a.Dead, a.OtherRound = inspect.Ranges(alive), inspect.Ranges(stopped), dead.list("%s (%s)"), h.otherRound()
	return a
}

// otherRound returns the workers in a call that have begun more or fewer than
// most.
func (h *Hang) otherRound() string {
	inCall := map[int64][]int{}
	for _, w := range h.Workers {
		if w.Begun > w.Returned {
			inCall[w.Begun] = append(inCall[w.Begun], w.Worker)
		}
	}
	calls := slices.Sorted(maps.Keys(inCall))
	slices.SortStableFunc(calls, func(a, b int64) int { return len(inCall[b]) - len(inCall[a]) })
	var list []string
	for i, call := range calls {
		if i > 0 {
			list = append(list, fmt.Sprintf("%s in call %d", inspect.Ranges(inCall[call]), call))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf("%s, the others in call %d", strings.Join(list, ", "), calls[0])
}

// String describes the state in one line.
func (h *Hang) String() string {
	words := "unreadable"
	if h.Words != nil {
		words = h.Words.String()
	}
	text := fmt.Sprintf("%s; words: %s; lock: %s", h.Why, words, h.lock())
	if h.Unseen != "" {
		text += "; unseen: " + h.Unseen
	}
	for _, w := range h.Workers {
		does := "is outside"
		if w.Begun > w.Returned {
			does = fmt.Sprintf("waits in its call %d", w.Begun)
		}
		if w.Step != nil {
			does = fmt.Sprintf("is at %v", *w.Step)
		}
		text += fmt.Sprintf("; worker %d (%s, pid %d, %s) %s", w.Worker, w.name(), w.PID, w.State, does)
		if w.Stderr != "" {
			text += fmt.Sprintf(", the standard error of its port ends with %q", w.Stderr)
		}
	}
	return text
}

// name returns what the worker uses.
func (w Worker) name() string {
	if w.Port == "" {
		return "package impl"
	}
	return "port " + short(w.Port)
}

// lock describes who holds the lock.
func (h *Hang) lock() string {
	text := "free"
	switch {
	case h.Holder >= 0:
		text = fmt.Sprintf("held by worker %d", h.Holder)
	case h.HolderPID > 0:
		text = fmt.Sprintf("held by process %d, which belongs to no worker", h.HolderPID)
	case h.HolderPID < 0:
		return "unknown"
	}
	if len(h.Waiters) > 0 {
		return text + "; waiting: process " + inspect.Ranges(h.Waiters)
	}
	return text + "; no process blocks in flock(2)"
}

// next describes what the worker does next. A port prints one line when it
// starts, one when its barrier is open, and one for each call.
func (w Worker) next() string {
	switch {
	case w.Step != nil:
		return w.Step.String()
	case w.Port != "" && w.Begun > w.Returned:
		return fmt.Sprintf("port %s: its line %d (returned) has not come", short(w.Port), w.Begun+2)
	case w.Port != "":
		return fmt.Sprintf("port %s: outside", short(w.Port))
	default:
		return "unknown"
	}
}
