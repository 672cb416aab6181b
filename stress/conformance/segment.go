//go:build linux

package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
)

// attaching has the port open a segment that is in use, and files that are no
// segments.
func attaching(s *subject) (string, error) {
	f := s.fixture()
	defer f.close()
	used := spec.Words{Enter: 0, Exit: 2, Flag: spec.Up}
	f.setAll(used)
	f.ask(f.open(), port.Opened)
	switch words := f.words(); {
	case f.err != nil:
		return "", f.err
	case words == spec.Initial:
		return "", notAsked("it constructs on opening")
	case words != used:
		return "", fmt.Errorf("on opening it leaves %v where %v was", words, used)
	}
	for _, bad := range []struct {
		what  string
		spoil func(*fixture) error
	}{
		{"is missing", func(f *fixture) error { return os.Remove(f.path()) }},
		{"has 11 bytes", func(f *fixture) error { return os.Truncate(f.path(), 11) }},
		{"has 13 bytes", func(f *fixture) error { return os.Truncate(f.path(), 13) }},
		{"has enter -1", func(f *fixture) error { f.set(spec.Enter, -1); return f.err }},
		{"has exit -2", func(f *fixture) error { f.set(spec.Exit, -2); return f.err }},
		{"has flag 2", func(f *fixture) error { f.set(spec.Flag, 2); return f.err }},
	} {
		if err := refusesOpen(s, bad.spoil); err != nil {
			return "", fmt.Errorf("a segment that %s: %w", bad.what, err)
		}
	}
	return "it writes nothing, and refuses a file that is no segment", nil
}

// refusesOpen has the port open a segment that was spoilt. It must refuse that and
// leave the segment as it is.
func refusesOpen(s *subject, spoil func(*fixture) error) error {
	f := s.fixture()
	defer f.close()
	f.try(func() error { return spoil(f) })
	before, missing := os.ReadFile(f.path())
	f.ask(f.open(), "error")
	after, err := os.ReadFile(f.path())
	if f.err == nil && (missing != nil && !errors.Is(err, fs.ErrNotExist) || string(after) != string(before)) {
		return fmt.Errorf("its bytes were %v (%v), and are %v (%v)", before, missing, after, err)
	}
	return f.err
}

// outOfRange has the port call with words that are out of range. A port that
// calls with all of them checks nothing, as the original; one that refuses only
// some of them is wrong.
func outOfRange(s *subject) (string, error) {
	var refused, taken []string
	// A call of 1 that checks nothing returns from each of these.
	for _, w := range []spec.Words{
		{Enter: 2, Exit: spec.NotSet, Flag: spec.Up}, {Enter: -1, Exit: spec.NotSet, Flag: spec.Up},
		{Enter: 1, Exit: 2, Flag: spec.Up}, {Enter: 1, Exit: -2, Flag: spec.Up},
	} {
		switch refuses, err := refusesCall(s, w); {
		case err != nil:
			return "", fmt.Errorf("a call of 1 with %v: %w", w, err)
		case refuses:
			refused = append(refused, w.String())
		default:
			taken = append(taken, w.String())
		}
	}
	switch {
	case len(refused) == 0:
		return "", notAsked("it checks no words")
	case len(taken) > 0:
		return "", fmt.Errorf("it refuses %s, and calls with %s", strings.Join(refused, " and "), strings.Join(taken, " and "))
	}
	return "refused", nil
}

// refusesCall reports whether the port refuses a call with the words. If it does
// it must leave the lock free and the words as they are.
func refusesCall(s *subject, w spec.Words) (bool, error) {
	f := s.opened()
	defer f.close()
	f.setAll(w)
	f.send("call 1")
	if _, failed := port.Failure(f.receive()); !failed {
		return false, f.err
	}
	f.try(func() error {
		free, err := lockprobe.NewProbe(f.lockPath).Free()
		if err == nil && !free {
			err = errors.New("it refuses, and keeps the lock")
		}
		return err
	})
	if w.Exit == spec.NotSet && f.words().Exit == 1 {
		w.Exit = 1 // it refused at TestFirst, after InitExit
	}
	f.expectWords(w)
	return true, f.err
}
