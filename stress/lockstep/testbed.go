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
)

// A Testbed is the real thing: parties that stop before each step, at a barrier
// with a segment and a lock file of its own. It knows nothing of the model.
type Testbed struct {
	parties  []Party
	eye      *impl.Barrier    // looks at the words
	probe    *lockprobe.Probe // of the lock file that the path names
	old      *lockprobe.Probe // of the one before the last relink; nil: there is none
	segment  string
	dir      string
	lockPath string

	start func(p int) (Party, error)
	late  []bool // the party has attached and not called yet: it may as well come later
}

// Requests that are made of the Testbed, and not of the party: nobody answers.
const (
	Kill   = "kill"   // the party's process dies
	Relink = "relink" // the lock file is unlinked and made anew
)

// NewTestbed starts n parties and has each open the barrier, the last first. One
// that constructs does so to the end, but if constructing is true party 0 stops
// at MakeEnter, and the error is *Unable if it does not construct.
func NewTestbed(n int, constructing bool, start func(p int) (Party, error)) (_ *Testbed, err error) {
	dir, err := os.MkdirTemp("", fmt.Sprintf("sharedbarrier-lockstep-%d-", os.Getpid())) // tells whose it is
	if err != nil {
		return nil, fmt.Errorf("lockstep: make a folder for the lock file: %w", err)
	}
	s := &Testbed{
		parties: make([]Party, n), dir: dir, segment: filepath.Base(dir), lockPath: filepath.Join(dir, "lock"),
		start: start, late: make([]bool, n),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.eye, err = impl.Create(s.segment, s.lockPath); err != nil {
		return nil, err
	}
	s.probe = lockprobe.NewProbe(s.lockPath)
	for p := n - 1; p >= 0; p-- {
		if err = s.enter(p, constructing && p == 0); err != nil {
			return nil, err
		}
	}
	return s, s.Check(spec.Initial, -1)
}

// enter starts party p and has it open the barrier; one that begins at MakeEnter
// stops there.
func (s *Testbed) enter(p int, begins bool) (err error) {
	if s.parties[p], err = s.start(p); err != nil {
		return err
	}
	answer, err := s.Ask(p, "open "+s.segment+" "+s.lockPath)
	s.late[p] = answer == "opened"
	if err == nil && answer == "opened" && begins {
		return &Unable{fmt.Sprintf("p%d must be a port that constructs, and this one attaches", p)}
	}
	if err == nil && answer != "opened" {
		for _, step := range spec.ConstructionSteps {
			if want := "at " + step.String(); err == nil && answer != want {
				return &Difference{s.answerOf(p) + ", while it opens the barrier", quoted(answer), quoted(want)}
			}
			if err != nil || begins {
				return err
			}
			answer, err = s.Ask(p, "go")
		}
	}
	if err == nil && answer != "opened" {
		err = &Difference{s.answerOf(p) + ", to open", quoted(answer), `"opened"`}
	}
	return err
}

// Ask makes a request of party p, which may be Kill, or of the Testbed itself
// (Relink, whatever p is). An error is that of a party that is of no further use.
func (s *Testbed) Ask(p int, request string) (answer string, err error) {
	switch request {
	case Kill:
		s.parties[p].Kill()
		return "", nil
	case Relink:
		return "", s.relink()
	default:
		s.late[p] = s.late[p] && !strings.HasPrefix(request, "call ")
		return s.parties[p].Ask(request)
	}
}

// answerOf says for a Difference whose answer it is, and where it stands.
func (s *Testbed) answerOf(p int) string {
	return fmt.Sprintf("answer of p%d (its line %d)", p, s.parties[p].Lines())
}

// relink unlinks the lock file and makes it anew. Parties that may as well come
// later do: one that keeps its descriptor would never meet the new file while
// the old one is held.
func (s *Testbed) relink() error {
	if s.old != nil {
		s.old.Close()
	}
	s.old, s.probe = s.probe, lockprobe.NewProbe(s.lockPath)
	switch err := s.old.Pin(); {
	case errors.Is(err, fs.ErrNotExist):
		s.old = nil // a peer has unlinked it already; nobody holds what is not there
	case err != nil:
		return err
	}
	if err := os.Remove(s.lockPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(s.lockPath, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	for p := range s.parties {
		if s.late[p] {
			s.parties[p].Kill()
			if err := s.enter(p, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check returns a *Difference unless the segment holds the words and the lock
// file that the path names is locked by the holder; -1: by nobody.
func (s *Testbed) Check(words spec.Words, holder int) error {
	got, err := s.eye.Words()
	if err != nil {
		return err
	}
	if got != words {
		return &Difference{"words", got.String(), words.String()}
	}
	free, err := s.probe.Free()
	if err != nil {
		return err
	}
	const what = "holder of the lock"
	switch {
	case free && holder >= 0:
		return &Difference{what, "nobody", fmt.Sprintf("p%d", holder)}
	case free:
		return nil
	case holder < 0:
		return &Difference{what, s.holder(), "nobody"}
	}
	holds, err := s.parties[holder].Holds(s.lockPath)
	if err == nil && !holds {
		return &Difference{what, s.holder(), fmt.Sprintf("p%d", holder)}
	}
	return err
}

func (s *Testbed) holder() string {
	for p, party := range s.parties {
		if holds, err := party.Holds(s.lockPath); err == nil && holds {
			return fmt.Sprintf("p%d", p)
		}
	}
	return "somebody else"
}

// CheckOld returns a *Difference unless the lock file that was unlinked is
// still locked, or not, as wanted. Before a relink it returns nil.
func (s *Testbed) CheckOld(locked bool) error {
	if s.old == nil {
		return nil
	}
	free, err := s.old.Free()
	if err == nil && free == locked {
		err = &Difference{"the unlinked lock file is locked", fmt.Sprint(!free), fmt.Sprint(locked)}
	}
	return err
}

// Leave asks party p to close its handle and end: an error if it does not. It
// must be outside.
func (s *Testbed) Leave(p int) error { return s.parties[p].Close() }

// Close kills the parties that are left and removes the segment and the lock
// file.
func (s *Testbed) Close() error {
	for _, party := range s.parties {
		if party != nil {
			party.Kill()
		}
	}
	for _, probe := range []*lockprobe.Probe{s.probe, s.old} {
		if probe != nil {
			probe.Close()
		}
	}
	if s.eye != nil {
		s.eye.Close()
	}
	return errors.Join(impl.Remove(s.segment, s.lockPath), os.RemoveAll(s.dir))
}

// A Difference is one between the real thing and what must be.
type Difference struct{ What, Got, Want string }

// Error says what differs.
func (d *Difference) Error() string { return fmt.Sprintf("%s: got %s, want %s", d.What, d.Got, d.Want) }

func quoted(answer string) string {
	if answer == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", answer)
}

// Unable is the error of what a party has not the capability for.
type Unable struct{ Why string }

// Error says which capability is missing.
func (u *Unable) Error() string { return u.Why }
