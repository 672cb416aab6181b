//go:build linux

package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
)

// version is the version of the JSON form of Report; report.schema.json
// describes it.
const version = 1

// A Report is what was seen of a barrier, and what is made of it.
type Report struct {
	Version   int             `json:"version"`
	Verdict   spec.Verdict    `json:"verdict"` // passed, hang, violated or unfinished
	Status    Status          `json:"status"`
	Segment   string          `json:"segment"` // path
	Unlinked  bool            `json:"unlinked,omitempty"`
	LockPath  string          `json:"lock_path"`
	Words     spec.Words      `json:"words"`
	Procs     int             `json:"procs"`   // the party count; 0: not known
	Missing   *int            `json:"missing"` // parties that are not there; null: not known
	Absent    string          `json:"absent"`  // their ranks as ranges, where the environment of the others says so
	Holders   []int           `json:"lock_holders"`
	Waiters   []int           `json:"lock_waiters"` // in flock(2)
	Abroad    bool            `json:"lock_held_elsewhere,omitempty"`
	NoLock    bool            `json:"lock_missing,omitempty"` // there is no lock file
	Looked    Looked          `json:"looked"`
	Processes []ProcessReport `json:"processes"`
	Group     *group.Status   `json:"group,omitempty"`  // of members at the barrier (spec/GROUP.md); missing: there is none
	Causes    []Cause         `json:"causes"`           // the likeliest first
	Limits    []string        `json:"limits,omitempty"` // what could not be seen, and why
}

// Looked says how long and how closely was looked, and what moved last.
type Looked struct {
	Seconds     float64    `json:"seconds"`
	Samples     int        `json:"samples"`
	Changes     int        `json:"changes"` // of the words
	Rounds      int        `json:"rounds"`  // at least
	LastAttempt *time.Time `json:"last_attempt,omitempty"`
}

// A ProcessReport is one process in a Report.
type ProcessReport struct {
	PID      int       `json:"pid"`
	Inner    []int     `json:"inner_pids,omitempty"` // in the PID namespaces below
	User     string    `json:"user"`
	Command  string    `json:"command"`
	Rank     string    `json:"rank,omitempty"`
	Started  time.Time `json:"started"`
	State    string    `json:"state"`
	Activity Activity  `json:"activity"`
	Wchan    string    `json:"wchan,omitempty"`
	Maps     bool      `json:"maps"`
	LockOpen bool      `json:"lock_open"`
	OldLock  bool      `json:"old_lock_open,omitempty"`    // another file that has or had the name of the lock file
	Shares   []int     `json:"shares_lock_with,omitempty"` // processes that have the lock file open by the same descriptor
	Frozen   string    `json:"frozen,omitempty"`           // by this control group
	Barriers []string  `json:"other_barriers,omitempty"`   // that it has mapped
	Holds    bool      `json:"holds"`
	Waits    bool      `json:"waits"`
}

// report diagnoses and puts everything together.
func (v *seen) report(ctx context.Context, o Options) (*Report, error) {
	d, err := v.diagnose(ctx, o)
	if err != nil {
		return nil, err
	}
	l := v.last
	r := &Report{
		Version: version, Verdict: d.status.Verdict(), Status: d.status,
		Segment: v.SegmentPath(), Unlinked: l.Unlinked, LockPath: v.LockPath, Words: l.Words,
		Holders: notNil(l.Lock.Holders), Waiters: notNil(l.Lock.Waiters), Abroad: l.Lock.Abroad, NoLock: l.Lock.Missing, Causes: notNil(d.causes), Limits: l.Limits,
		Looked:    Looked{Seconds: l.At.Sub(v.first.At).Seconds(), Samples: v.samples, Changes: v.changes, Rounds: v.rounds},
		Processes: []ProcessReport{}, Group: v.group,
	}
	if !l.Lock.Touched.IsZero() {
		r.Looked.LastAttempt = &l.Lock.Touched
	}
	for _, p := range l.Processes {
		r.Processes = append(r.Processes, ProcessReport{
			PID: p.PID, Inner: p.Inner, User: p.User, Command: p.Command, Rank: p.Rank, Started: p.Started, State: p.State,
			Activity: v.acts[p.PID], Wchan: v.wchans[p.PID], Maps: p.Maps, LockOpen: p.LockOpen,
			OldLock: p.OldLock, Shares: p.Shares, Frozen: p.Frozen, Barriers: p.Barriers, Holds: p.Holds, Waits: p.Waits,
		})
	}
	r.count(o)
	return r, nil
}

// count finds out how many parties there are, and which are not there.
func (r *Report) count(o Options) {
	switch i := slices.IndexFunc(r.Causes, func(c Cause) bool { return c.Procs > 0 }); {
	case o.Parties != nil:
		r.Procs = len(o.Parties)
	case o.Procs > 0:
		r.Procs = o.Procs
	case r.Group != nil:
		r.Procs = r.Group.Parties
	case i >= 0:
		r.Procs = r.Causes[i].Procs
	case r.Words.Flag == spec.Down && r.Words.Exit > 0:
		r.Procs = int(r.Words.Exit)
	default:
		return
	}
	there := 0
	for _, p := range r.Processes {
		if p.Maps {
			there++
		}
	}
	missing := max(0, r.Procs-there)
	r.Missing = &missing
	if ranks, ok := r.ranks(); ok && missing > 0 {
		r.Absent = absent(ranks, r.Procs, missing)
	}
}

// absent returns the ranks that no process has, as ranges, if they are so many.
func absent(ranks map[int]int, procs, want int) string {
	has := slices.Collect(maps.Values(ranks))
	var list []int
	for rank := range procs {
		if !slices.Contains(has, rank) {
			list = append(list, rank)
		}
	}
	if len(list) != want {
		return ""
	}
	return Ranges(list)
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Ranges writes ascending numbers as ranges, such as "2, 5-7".
func Ranges(list []int) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		switch j - i {
		case 0:
			parts = append(parts, fmt.Sprint(list[i]))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// JSON writes the report as one line.
func (r *Report) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(r) }

// Text writes the report for people: what hangs, who is missing, who is there,
// the lock, since when, why, and what to do.
func (r *Report) Text(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "status\t%s\n", r.headline())
	r.autopsy(time.Now()).Rows(table)
	table.Flush()
	if r.Unlinked {
		fmt.Fprintf(&b, "\nThe segment has lost its name: %s is missing, or another file. These processes go on with it; one that opens the name now does not meet them.\n", r.Segment)
	}
	if len(r.Processes) > 0 {
		b.WriteByte('\n')
		r.processes(&b)
	}
	if r.Group != nil {
		r.writeGroup(&b)
	}
	WriteCauses(&b, r.Causes)
	for _, limit := range r.Limits {
		fmt.Fprintf(&b, "\nNot seen: %s.\n", limit)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// WriteCauses writes the causes, the likeliest first, and what to do about
// each.
func WriteCauses(out io.Writer, causes []Cause) {
	for i, c := range causes {
		label := "Likely cause"
		if i > 0 {
			label = "Or"
		}
		fmt.Fprintf(out, "\n%s: %s.\nWhat to do: %s.\n", label, c, c.Do)
	}
}

func (r *Report) headline() string {
	looked := fmt.Sprintf("%d readings in %.1f s", r.Looked.Samples, r.Looked.Seconds)
	switch r.Status {
	case Moving:
		return fmt.Sprintf("moving: %d rounds or more in %.1f s; no hang", r.Looked.Rounds, r.Looked.Seconds)
	case Idle:
		return fmt.Sprintf("idle: no process waits (%s)", looked)
	case Waiting:
		return fmt.Sprintf("hang suspected: nothing moved (%s), but a process that is there may still go on", looked)
	case HeldUp:
		return fmt.Sprintf("held up, no hang: nothing moved (%s), and a process is stopped or frozen", looked)
	case Starves:
		return fmt.Sprintf("starved, no hang: nothing moved (%s), and a process waits for a processor", looked)
	case Hangs:
		return fmt.Sprintf("hang confirmed: nothing moved (%s), and no process that is there can", looked)
	case Foreign:
		return fmt.Sprintf("broken: nothing moved (%s), and no party can have written these words", looked)
	default:
		return fmt.Sprintf("hang suspected: nothing moved (%s); not enough was seen to say why", looked)
	}
}

func (r *Report) processes(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "pid\tuser\tstarted\tdoes\tin\tbarrier\tcommand")
	for _, p := range r.Processes {
		var has []string
		for _, h := range []struct {
			is   bool
			name string
		}{{p.Maps, "mapped"}, {p.Holds, "holds lock"}, {p.Waits, "waits for lock"}, {p.LockOpen && !p.Holds && !p.Waits, "lock open"}, {p.OldLock, "old lock open"}} {
			if h.is {
				has = append(has, h.name)
			}
		}
		pid := fmt.Sprint(p.PID)
		if len(p.Inner) > 0 {
			pid += fmt.Sprintf(" (inside %s)", join(p.Inner))
		}
		wchan := p.Wchan
		if wchan == "" {
			wchan = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", pid, p.User, p.Started.Format("15:04:05"), p.Activity, wchan, strings.Join(has, ", "), short(p.Rank, p.Command))
	}
	table.Flush()
}

// String is the cause with where the model has it.
func (c Cause) String() string {
	text := c.Why
	if c.Scenario != "" {
		text += " (scenario " + c.Scenario + ")"
	}
	if c.Folded != nil {
		text += fmt.Sprintf("; %d parties are too many to explore, and the model has the same with %d: %v", c.Procs, c.Folded.Procs, c.Folded.Words)
	}
	return text
}

// short returns the rank and the command without the folder of the program; of
// a long one, the beginning and the end.
func short(rank, command string) string {
	program, args, _ := strings.Cut(command, " ")
	text := []rune(strings.TrimSpace(rank + " " + path.Base(program) + " " + args))
	const most = 60
	if len(text) > most {
		return string(text[:most/2]) + "…" + string(text[len(text)-most/2+1:])
	}
	return string(text)
}
