//go:build linux

package inspect

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Autopsy says in words what is seen of a barrier at which nothing moves, in
// the order in which one asks. An empty field means none.
type Autopsy struct {
	Missing    string // who is not there, and of how many
	Alive      string
	Stopped    string // by a signal, a debugger or its control group
	Dead       string
	OtherRound string // who waits in another round than most
	Lock       string // who holds it, and who waits for it
	Words      string
	Since      string // how long nothing has moved, and what moved last
}

// Rows writes the autopsy as rows of a table of two columns, for a
// text/tabwriter.
func (a Autopsy) Rows(table io.Writer) {
	for _, row := range []struct{ name, text string }{
		{"missing", a.Missing}, {"alive", a.Alive}, {"stopped", a.Stopped}, {"dead", a.Dead}, {"other round", a.OtherRound},
		{"lock", a.Lock}, {"words", a.Words}, {"moved last", a.Since},
	} {
		fmt.Fprintf(table, "%s\t%s\n", row.name, cmp.Or(row.text, "none"))
	}
}

// autopsy returns what the report has for people.
func (r *Report) autopsy(now time.Time) Autopsy {
	a := Autopsy{Missing: r.missing(), Lock: r.lock(), Words: r.Words.String(), Since: r.since(now), OtherRound: r.otherRound()}
	var alive, stopped, dead []ProcessReport
	for _, p := range r.Processes {
		switch {
		case p.Activity == Gone:
			dead = append(dead, p)
		case !p.Maps:
		case p.Activity == Stopped || p.Activity == Frozen:
			stopped = append(stopped, p)
		default:
			alive = append(alive, p)
		}
	}
	a.Alive, a.Stopped, a.Dead = r.named(alive), r.named(stopped), r.named(dead)
	if a.Dead == "" {
		a.Dead = "none is seen"
	}
	return a
}

// named names processes by their ranks, if all parties have one of their own,
// or else by their numbers.
func (r *Report) named(list []ProcessReport) string {
	var numbers []int
	for _, p := range list {
		numbers = append(numbers, p.PID)
	}
	ranks, ok := r.ranks()
	if !ok || len(list) == 0 || !list[0].Maps { // the environment of a dead process is gone
		return Ranges(numbers)
	}
	for i, pid := range numbers {
		numbers[i] = ranks[pid]
	}
	slices.Sort(numbers)
	return "rank " + Ranges(numbers)
}

// ranks returns the rank of each process that has the segment mapped, if each
// has one that no other has.
func (r *Report) ranks() (of map[int]int, ok bool) {
	of, used := map[int]int{}, map[int]bool{}
	for _, p := range r.Processes {
		if !p.Maps {
			continue
		}
		_, value, _ := strings.Cut(p.Rank, "=")
		rank, err := strconv.Atoi(value)
		if err != nil || used[rank] {
			return nil, false
		}
		of[p.PID], used[rank] = rank, true
	}
	return of, len(of) > 0
}

// missing says how many parties are not there, and which, if that is known.
func (r *Report) missing() string {
	switch {
	case r.Missing == nil:
		return "not known: give the party count with --procs"
	case *r.Missing == 0:
		return fmt.Sprintf("none of %d", r.Procs)
	case r.Absent != "":
		return fmt.Sprintf("rank %s of %d", r.Absent, r.Procs)
	default:
		return fmt.Sprintf("%d of %d", *r.Missing, r.Procs)
	}
}

// lock says who holds the lock, and who waits for it.
func (r *Report) lock() string {
	text := "free"
	switch {
	case r.NoLock:
		text = "there is no file " + r.LockPath
	case len(r.Holders) > 0:
		text = "held by " + list(r.Holders)
	case r.Abroad:
		text = "held by a process that cannot be seen from here"
	}
	if len(r.Waiters) > 0 {
		return text + "; waiting: " + Ranges(r.Waiters)
	}
	return text + "; no process blocks in flock(2)"
}

// since says what moved last, as far as it leaves traces.
func (r *Report) since(now time.Time) string {
	if r.Looked.Changes > 0 {
		return "the words, while they were looked at"
	}
	text, at := "not known", time.Time{}
	if r.Looked.LastAttempt != nil {
		text, at = "the lock file was made, or a party that truncates it tried the lock", *r.Looked.LastAttempt
	}
	for _, p := range r.Processes {
		if p.Maps && p.Started.After(at) {
			text, at = fmt.Sprintf("process %d started", p.PID), p.Started
		}
	}
	if at.IsZero() {
		return text
	}
	return fmt.Sprintf("%v ago: %s", now.Sub(at).Round(time.Second), text)
}

// otherRound says what the states of the likeliest cause have in common.
func (r *Report) otherRound() string {
	i := slices.IndexFunc(r.Causes, func(c Cause) bool { return c.Procs > 0 })
	if i < 0 {
		return "not known"
	}
	switch c := r.Causes[i]; {
	case c.Behind == nil || c.Behind[1] == 0:
		return "none, by the likeliest cause"
	case c.Behind[0] == c.Behind[1]:
		return fmt.Sprintf("%d of those that wait, by the likeliest cause", c.Behind[0])
	default:
		return fmt.Sprintf("%d to %d of those that wait, by the likeliest cause", c.Behind[0], c.Behind[1])
	}
}
