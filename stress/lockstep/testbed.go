//go:build linux

package lockstep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/scratch"
)

// A testbed is the real side: parties that stop before each step, at a barrier
// with a segment and a lock file of its own. It knows nothing of the model.
type testbed struct {
	parties  []party
	eye      *impl.Barrier    // reads the words
	probe    *lockprobe.Probe // of the lock file that the path names
	old      *lockprobe.Probe // of the one before the last relink; nil: there is none
	segment  string
	files    *scratch.Scratch
	lockPath string

	start    starter
	splitRMW bool
	fresh    []bool // the party has attached and not called yet
}

// Requests that the testbed carries out itself. They have no answer.
const (
	Kill   = "kill"   // the party's process dies
	Relink = "relink" // the lock file is unlinked and created again
)

// newTestbed starts n parties and has each open the barrier, the last first. A
// party that constructs does so to the end; if constructing is true party 0
// stops at MakeEnter, and the error is errUnable if it does not construct.
func newTestbed(n int, constructing, splitRMW bool, start starter) (_ *testbed, err error) {
	files, err := scratch.Make("", "lockstep")
	if err != nil {
		return nil, fmt.Errorf("lockstep: %w", err)
	}
	t := &testbed{
		parties: make([]party, n), files: files, segment: files.Segment, lockPath: filepath.Join(files.Dir, "lock"),
		start: start, splitRMW: splitRMW, fresh: make([]bool, n),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	if t.eye, err = impl.Create(t.segment, t.lockPath); err != nil {
		return nil, err
	}
	t.probe = lockprobe.NewProbe(t.lockPath)
	for p := n - 1; p >= 0; p-- {
		if err = t.enter(p, constructing && p == 0); err != nil {
			return nil, err
		}
	}
	return t, t.check(spec.Initial, -1)
}

// enter starts party p and has it open the barrier. If constructing is true it
// stops at MakeEnter.
func (t *testbed) enter(p int, constructing bool) (err error) {
	if t.parties[p], err = t.start(p, t.splitRMW); err != nil {
		return err
	}
	answer, err := t.Ask(p, "open "+t.segment+" "+t.lockPath)
	t.fresh[p] = answer == "opened"
	if err == nil && answer == "opened" && constructing {
		return fmt.Errorf("%w: p%d must construct, and its port attaches", errUnable, p)
	}
	if err == nil && answer != "opened" {
		for _, step := range spec.ConstructionSteps {
			if want := "at " + step.String(); err == nil && answer != want {
				return &difference{t.answerOf(p) + ", while it opens the barrier", quoted(answer), quoted(want)}
			}
			if err != nil || constructing {
				return err
			}
			answer, err = t.Ask(p, "go")
		}
	}
	if err == nil && answer != "opened" {
		err = &difference{t.answerOf(p) + ", to open", quoted(answer), `"opened"`}
	}
	return err
}

// Ask makes a request of party p, or carries out Kill or Relink. It blocks as
// long as the party does. The party is of no further use after an error.
func (t *testbed) Ask(p int, request string) (answer string, err error) {
	switch request {
	case Kill:
		t.parties[p].Kill()
		return "", nil
	case Relink:
		return "", t.relink()
	default:
		t.fresh[p] = t.fresh[p] && !strings.HasPrefix(request, "call ")
		return t.parties[p].Ask(request)
	}
}

// answerOf names an answer of party p in a difference.
func (t *testbed) answerOf(p int) string {
	return fmt.Sprintf("answer of p%d (its line %d)", p, t.parties[p].Lines())
}

// relink unlinks the lock file and creates it again. It replaces the parties
// that have not called yet: one that keeps its descriptor would not meet the
// new file while the old one is held.
func (t *testbed) relink() error {
	if t.old != nil {
		t.old.Close()
	}
	t.old, t.probe = t.probe, lockprobe.NewProbe(t.lockPath)
	switch err := t.old.Pin(); {
	case errors.Is(err, fs.ErrNotExist):
		t.old = nil // a peer has unlinked it already; no process holds what is not there
	case err != nil:
		return err
	}
	if err := os.Remove(t.lockPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(t.lockPath, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	for p := range t.parties {
		if t.fresh[p] {
			t.parties[p].Kill()
			if err := t.enter(p, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// check returns an error that says what differs unless the segment holds the
// words and the holder, or no process (-1), has locked the lock file that the
// path names.
func (t *testbed) check(words spec.Words, holder int) error {
	got, err := t.eye.Words()
	if err != nil {
		return err
	}
	if got != words {
		return &difference{"words", got.String(), words.String()}
	}
	return t.checkHolder(holder)
}

// checkHolder is check of the lock alone. The holder is asked first, as it
// costs a search of all processes to find another.
func (t *testbed) checkHolder(holder int) error {
	free, err := t.probe.Free()
	if err != nil {
		return err
	}
	got, want := "none", "none"
	if holder >= 0 {
		want = fmt.Sprintf("p%d", holder)
	}
	if !free && holder >= 0 {
		if holds, err := t.parties[holder].Holds(t.lockPath); holds || err != nil {
			return err
		}
	}
	if !free {
		got = "another process"
		for p, party := range t.parties {
			if p == holder {
				continue
			}
			if holds, err := party.Holds(t.lockPath); err != nil {
				return err
			} else if holds {
				got = fmt.Sprintf("p%d", p)
			}
		}
	}
	if got != want {
		return &difference{"holder of the lock", got, want}
	}
	return nil
}

// checkOld returns a difference unless the lock file that was unlinked is
// locked, or not, as wanted. Before a relink it returns nil.
func (t *testbed) checkOld(locked bool) error {
	if t.old == nil {
		return nil
	}
	free, err := t.old.Free()
	if err == nil && free == locked {
		err = &difference{"the unlinked lock file is locked", fmt.Sprint(!free), fmt.Sprint(locked)}
	}
	return err
}

// Close kills the parties that are left and removes the segment and the lock
// file.
func (t *testbed) Close() error {
	for _, party := range t.parties {
		if party != nil {
			party.Kill()
		}
	}
	for _, probe := range []*lockprobe.Probe{t.probe, t.old} {
		if probe != nil {
			probe.Close()
		}
	}
	if t.eye != nil {
		t.eye.Close()
	}
	return t.files.Close()
}

// A difference is one between the real side and what must be.
type difference struct{ what, got, want string }

// Error says what differs.
func (d *difference) Error() string { return fmt.Sprintf("%s: got %s, want %s", d.what, d.got, d.want) }

func quoted(answer string) string {
	if answer == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", answer)
}
