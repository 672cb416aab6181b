//go:build linux

package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
)

// A scene is a barrier, its lock file in a folder of its own, and a port to talk
// to.
type scene struct {
	dir, lockPath string
	name          string // of the segment
	barrier       *impl.Barrier
	*talk
}

// newScene makes the barrier and starts the port, which has not opened it yet.
func newScene(ctx context.Context, name string) (_ *scene, err error) {
	dir, err := os.MkdirTemp("", fmt.Sprintf("sharedbarrier kit %d-", os.Getpid())) // with spaces, which a path may have
	if err != nil {
		return nil, err
	}
	s := &scene{dir: dir, lockPath: filepath.Join(dir, "lock"), name: strings.ReplaceAll(filepath.Base(dir), " ", "-")}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.barrier, err = impl.Create(s.name, s.lockPath); err != nil {
		return nil, err
	}
	s.talk, err = startTalk(ctx, name)
	return s, err
}

// newOpened is newScene with a port that has opened the barrier.
func newOpened(ctx context.Context, name string) (*scene, error) {
	s, err := newScene(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := s.ask(s.open(), port.Opened); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newCounted is newOpened with a port that waits in a call of 2.
func newCounted(ctx context.Context, name string) (*scene, error) {
	s, err := newOpened(ctx, name)
	if err != nil {
		return nil, err
	}
	if err = s.say("call 2"); err == nil {
		err = s.awaitCounted(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *scene) close() {
	if s.talk != nil {
		s.talk.close()
	}
	if s.barrier != nil {
		s.barrier.Close()
		impl.Remove(s.name, s.lockPath)
	}
	os.RemoveAll(s.dir)
}

// open is the request to open the barrier.
func (s *scene) open() string { return "open " + s.name + " " + s.lockPath }

// segment is the path of the segment.
func (s *scene) segment() string { return "/dev/shm/" + s.name }

// set leaves v in a word. It wakes nobody.
func (s *scene) set(word spec.Word, v int32) error {
	segment, err := os.OpenFile(s.segment(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer segment.Close()
	_, err = segment.WriteAt(binary.NativeEndian.AppendUint32(nil, uint32(v)), int64(word.Offset()))
	return err
}

// setAll leaves w in the words.
func (s *scene) setAll(w spec.Words) error {
	return errors.Join(s.set(spec.Enter, w.Enter), s.set(spec.Exit, w.Exit), s.set(spec.Flag, w.Flag))
}

// words returns an error unless the words are want.
func (s *scene) words(want spec.Words) error {
	got, err := s.barrier.Words()
	if err == nil && got != want {
		err = fmt.Errorf("the words are %v, want %v", got, want)
	}
	return err
}

// awaitCounted waits until the party, which calls, has counted itself.
func (s *scene) awaitCounted(ctx context.Context) error {
	limit, end := context.WithTimeout(ctx, port.Limit)
	defer end()
	for limit.Err() == nil {
		if words, err := s.barrier.Words(); err != nil || words.Enter == 1 {
			return err
		}
		time.Sleep(time.Millisecond) // before the next look, and for nothing else
	}
	return fmt.Errorf("it has not counted itself after %v", port.Limit)
}

// conversation has the port open a barrier of its own, and refuse.
func conversation(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	s, err := newScene(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	for _, exchange := range [][2]string{
		{"call 1", "error"}, {"dance", "error"}, {"close", "error"},
		{s.open(), port.Opened},
		{"call 0", "error"},
	} {
		if err := s.ask(exchange[0], exchange[1]); err != nil {
			return "", err
		}
	}
	if err := s.bye(); err != nil {
		return "", err
	}
	idle, err := startTalk(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer idle.close()
	return "as specified", idle.end()
}

// attaching has the port open a segment that is in use, and some that are none.
func attaching(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	s, err := newScene(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	used := spec.Words{Enter: 0, Exit: 2, Flag: spec.Up}
	if err := errors.Join(s.setAll(used), s.ask(s.open(), port.Opened)); err != nil {
		return "", err
	}
	switch words, err := s.barrier.Words(); {
	case err != nil:
		return "", err
	case words == spec.Initial:
		return "", notAsked("it constructs on opening")
	case words != used:
		return "", fmt.Errorf("on opening it leaves %v where %v was", words, used)
	}
	for _, bad := range []struct {
		what string
		make func(*scene) error
	}{
		{"is missing", func(s *scene) error { return os.Remove(s.segment()) }},
		{"has 11 bytes", func(s *scene) error { return os.Truncate(s.segment(), 11) }},
		{"has 13 bytes", func(s *scene) error { return os.Truncate(s.segment(), 13) }},
		{"has enter -1", func(s *scene) error { return s.set(spec.Enter, -1) }},
		{"has exit -2", func(s *scene) error { return s.set(spec.Exit, -2) }},
		{"has flag 2", func(s *scene) error { return s.set(spec.Flag, 2) }},
	} {
		if err := refuses(ctx, t.Port, bad.make); err != nil {
			return "", fmt.Errorf("a segment that %s: %w", bad.what, err)
		}
	}
	return "nothing written, what is no segment refused", nil
}

// refuses has a port open a segment with which something was done.
func refuses(ctx context.Context, name string, spoil func(*scene) error) error {
	s, err := newScene(ctx, name)
	if err != nil {
		return err
	}
	defer s.close()
	if err := spoil(s); err != nil {
		return err
	}
	before, missing := os.ReadFile(s.segment())
	if err := s.ask(s.open(), "error"); err != nil {
		return err
	}
	after, err := os.ReadFile(s.segment())
	if missing != nil && !errors.Is(err, fs.ErrNotExist) || string(after) != string(before) {
		return fmt.Errorf("its bytes were %v (%v), and are %v (%v)", before, missing, after, err)
	}
	return nil
}

// alone has the port call as the only party.
func alone(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	s, err := newOpened(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	for range 3 {
		if err := s.ask("call 1", port.Returned); err != nil {
			return "", err
		}
	}
	return "as specified", s.words(spec.Initial)
}

// inCall has a port that waits in a call refuse a request, abandon its wait if it
// can, and another one come to the end of its input.
func inCall(ctx context.Context, t Trial, can port.Capabilities) (string, error) {
	s, err := newCounted(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := s.ask("dance", "error"); err != nil {
		return "", err
	}
	if can.Abandon {
		if err := s.ask("abandon", port.Abandoned); err != nil {
			return "", err
		}
		if err := s.words(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down}); err != nil {
			return "", fmt.Errorf("after it abandoned: %w", err)
		}
	}
	ending, err := newCounted(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer ending.close()
	return "as specified", ending.end()
}

// withdrawal has the first of two parties give up when it has been counted, and
// then meet the second one.
func withdrawal(ctx context.Context, t Trial, can port.Capabilities) (string, error) {
	if !can.Withdraw {
		return "", errUnable
	}
	s, err := newCounted(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := s.ask("giveup", port.Withdrawn); err != nil {
		return "", err
	}
	if err := s.words(spec.Words{Enter: 0, Exit: 2, Flag: spec.Down}); err != nil {
		return "", fmt.Errorf("after it gave up: %w", err)
	}
	if err := s.say("call 2"); err != nil {
		return "", err
	}
	limit, end := context.WithTimeout(ctx, port.Limit)
	defer end()
	if err := s.barrier.Wait(limit, 2); err != nil {
		return "", fmt.Errorf("after it gave up and called again, its peer: %w", err)
	}
	if err := s.expect("call 2", port.Returned); err != nil {
		return "", fmt.Errorf("after it gave up and called again, its peer has returned: %w", err)
	}
	return "as if it had never come", nil
}

// outOfRange has the port call with words that are out of range. One that takes
// all of them is like the original; one that looks at some has forgotten others.
func outOfRange(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	var refused, taken []string
	// A call of 1 that checks nothing returns from each of these.
	for _, w := range []spec.Words{
		{Enter: 2, Exit: spec.NotSet, Flag: spec.Up}, {Enter: -1, Exit: spec.NotSet, Flag: spec.Up},
		{Enter: 1, Exit: 2, Flag: spec.Up}, {Enter: 1, Exit: -2, Flag: spec.Up},
	} {
		switch checks, err := refusesCall(ctx, t.Port, w); {
		case err != nil:
			return "", fmt.Errorf("a call of 1 with %v: %w", w, err)
		case checks:
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

// refusesCall reports whether the port refuses a call with the words, and
// leaves all in order.
func refusesCall(ctx context.Context, name string, w spec.Words) (bool, error) {
	s, err := newOpened(ctx, name)
	if err != nil {
		return false, err
	}
	defer s.close()
	if err := errors.Join(s.setAll(w), s.say("call 1")); err != nil {
		return false, err
	}
	answer, err := s.hear("call 1")
	if _, failed := port.Failure(answer); err != nil || !failed {
		return false, err
	}
	free, err := lockprobe.NewProbe(s.lockPath).Free()
	if err == nil && !free {
		err = errors.New("it refuses, and keeps the lock")
	}
	unchanged := s.words(w)
	if w.Exit == spec.NotSet && unchanged != nil {
		w.Exit = 1 // it has refused at TestFirst, and come through InitExit
		unchanged = s.words(w)
	}
	return true, errors.Join(err, unchanged)
}

// noWake has the port meet a peer that writes its words and wakes nobody, as the
// original does: first the port waits until the peer has left the round before,
// and then until it completes this one. A port that sleeps longer than it may
// does not get through the rounds in time.
func noWake(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	limit, end := context.WithTimeout(ctx, port.Limit)
	defer end()
	s, err := newOpened(limit, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	const rounds = 10
	for round := range rounds {
		switch err := s.roundWithoutWake(limit); {
		case limit.Err() != nil:
			return "", fmt.Errorf("with a peer that wakes nobody it has completed %d rounds in %v, want %d", round, port.Limit, rounds)
		case err != nil:
			return "", err
		}
	}
	return "noticed", nil
}

func (s *scene) roundWithoutWake(ctx context.Context) error {
	// The peer is slow, so that the port falls asleep. If it does not, this finds
	// less, and nothing wrong.
	dawdle := func() { time.Sleep(spec.Tick) }
	if err := errors.Join(s.set(spec.Exit, 1), s.say("call 2")); err != nil {
		return err
	}
	dawdle()
	if err := s.set(spec.Exit, 2); err != nil { // it has left, and called again
		return err
	}
	if err := s.awaitCounted(ctx); err != nil {
		return err
	}
	dawdle()
	// It completes the round and leaves it. The port waits at its poll and writes
	// nothing, so the lock is not needed.
	if err := errors.Join(s.set(spec.Enter, 0), s.set(spec.Exit, 1), s.set(spec.Flag, spec.Up)); err != nil {
		return err
	}
	if err := s.expect("call 2", port.Returned); err != nil {
		return err
	}
	return s.words(spec.Initial)
}
