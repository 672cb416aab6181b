//go:build linux

// Package leftover finds what dead runs of this project and dead jobs have
// left, and removes what is proven dead.
//
// # What proves it
//
// A leftover is a few names that belong together, such as a segment and its
// lock file. It is dead if all conditions hold (see conditions). The strongest
// is that the kernel grants a write lease on each file. It does so only if no
// other process of the machine has the file open or mapped, and it counts what
// /proc may hide: processes of other users and of other PID namespaces, and
// descriptors that are in flight over a socket. A file that no process has open
// is also locked by none. The looks at /proc find who has a file, and the few
// uses that the kernel does not count, such as a working directory.
//
// # Removal
//
// A process may open a file between the proof and the removal. While the leases
// are held, an open(2) of the files waits. Clean renames all names, and has the
// kernel count again. If a process is about to open one of the files, Clean
// gives all of them their names back, and the process goes on as if nothing had
// been. If none is, none can come: the files have no names that others know.
// Then Clean unlinks them.
//
// One case remains: a process that has looked up the name in open(2) and that
// the kernel has not yet counted, since it was preempted right there. It gets a
// file without a name, as if the file had been removed just after it was
// opened. It is then alone: its peers find no name and construct a new barrier.
// No process gets a file that others have lost and go on to use.
//
// If Clean itself is killed, names are left that end in .removing-*. The next
// Clean finds them.
package leftover

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"sharedbarrier/spec"
)

// A Verdict says what is known of a leftover.
type Verdict string

// The verdicts.
const (
	Dead     Verdict = "dead"     // no process has it: it may be removed
	Live     Verdict = "live"     // a process has it, or may still begin to use it
	Unproven Verdict = "unproven" // it cannot be seen or tried whether a process has it
	Foreign  Verdict = "foreign"  // no process has it, but only its user knows what it is
	Removed  Verdict = "removed"  // it was dead
)

// A Leftover is what was found under names that belong together.
type Leftover struct {
	Kind      Kind        `json:"kind"`
	Of        string      `json:"of"` // who has made it
	Paths     []string    `json:"paths"`
	Bytes     int64       `json:"bytes"`
	Changed   time.Time   `json:"changed,omitzero"` // the last change of one of the files
	Words     *spec.Words `json:"words,omitempty"`  // of a segment of the right size
	Verdict   Verdict     `json:"verdict"`
	Why       string      `json:"why"`
	Processes []Use       `json:"processes,omitempty"` // that were seen to have it
}

// Options say what Clean looks at, and what it does.
type Options struct {
	// Segment and LockPath name one barrier, as for stress inspect. If they are
	// empty, Clean looks everywhere: in /dev/shm, the folders for temporary
	// files, and the tool cache.
	Segment, LockPath string

	Remove bool // what is dead; otherwise it is only listed

	// For tests.
	Only   func(path string) bool // unless nil, Clean opens only leftovers with such a path
	parked func(path string)      // unless nil, called when a name is out of the way
}

// Clean finds the leftovers, and removes those that are dead if o.Remove is
// set. When ctx ends, it completes the removal of the one at hand, and returns
// the report so far.
//
// It fails if there is nothing at the names in o, or with the error of the
// system. A leftover that cannot be proven dead, or not be removed, is no
// error.
func Clean(ctx context.Context, o Options) (*Report, error) {
	list, err := o.find()
	if err != nil {
		return nil, err
	}
	seen, err := lookAround()
	if err != nil {
		return nil, err
	}
	r := &Report{Version: version, Removes: o.Remove, Leftovers: []Leftover{}, Limits: append([]string{}, seen.limits...)}
	for _, c := range list {
		if o.Only != nil && !slices.ContainsFunc(c.paths(), o.Only) {
			continue
		}
		if ctx.Err() != nil {
			r.Interrupted = true
			break
		}
		if l, is := c.clean(o, seen); is {
			r.Leftovers = append(r.Leftovers, l)
		}
	}
	slices.SortStableFunc(r.Leftovers, func(a, b Leftover) int {
		return cmp.Or(a.Kind.compare(b.Kind), strings.Compare(a.Paths[0], b.Paths[0]))
	})
	return r, nil
}

// clean judges the candidate, and removes it if it is dead and o says so. It
// returns false if there is nothing any more.
func (c *candidate) clean(o Options, seen *look) (Leftover, bool) {
	defer c.close()
	l := Leftover{Kind: c.kind, Of: c.of}
	switch there, err := c.open(); {
	case err != nil:
		l.Paths, l.Verdict, l.Why = c.paths(), Unproven, err.Error()
		return l, true
	case !there, c.kind == OfGroup && !c.forgetGroup():
		return l, false
	}
	l.Kind, l.Of = c.kind, c.of
	c.describe(&l)
	if c.kind == SegmentLike && !plausible(l.Words) {
		return l, false
	}
	l.Processes = seen.of(c)
	l.Verdict, l.Why = c.judge(seen)
	if l.Verdict == Dead && o.Remove {
		l.Verdict, l.Why = c.remove(o.parked)
	}
	return l, true
}
