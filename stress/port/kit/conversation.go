//go:build linux

package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port"
)

// A scene is a barrier, its lock file in a folder of its own, and a port that
// has it open.
type scene struct {
	dir, segment, lockPath string
	barrier                *impl.Barrier
	port                   *port.Port
}

// newScene makes the barrier and starts the port, which has not opened it yet.
func newScene(ctx context.Context, name string) (_ *scene, err error) {
	dir, err := os.MkdirTemp("", fmt.Sprintf("sharedbarrier kit %d-", os.Getpid())) // with spaces, which a path may have
	if err != nil {
		return nil, err
	}
	s := &scene{dir: dir, segment: strings.ReplaceAll(filepath.Base(dir), " ", "-"), lockPath: filepath.Join(dir, "lock")}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.barrier, err = impl.Create(s.segment, s.lockPath); err != nil {
		return nil, err
	}
	s.port, err = start(ctx, name)
	return s, err
}

func (s *scene) close() {
	if s.port != nil {
		s.port.Kill()
	}
	if s.barrier != nil {
		s.barrier.Close()
		impl.Remove(s.segment, s.lockPath)
	}
	os.RemoveAll(s.dir)
}

// play makes requests, each of which wants its answer; "error" stands for any
// failure.
func (s *scene) play(exchanges ...[2]string) error {
	for _, exchange := range exchanges {
		request, want := exchange[0], exchange[1]
		got, err := s.port.Ask(request)
		if err != nil {
			return err
		}
		if _, failed := port.Failure(got); failed && want == "error" {
			continue
		}
		if got != want {
			return fmt.Errorf("it answers %q with %q, want %q", request, got, want)
		}
	}
	return nil
}

// conversation has the port open a barrier of its own, and refuse.
func conversation(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	s, err := newScene(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	err = s.play([][2]string{
		{"call 1", "error"}, {"dance", "error"}, {"close", "error"},
		{"open " + s.segment + " " + s.lockPath, port.Opened},
		{"call 0", "error"},
	}...)
	if err == nil {
		err = s.port.Close()
	}
	return "as specified", err
}

// alone has the port call as the only party.
func alone(ctx context.Context, t Trial, _ port.Capabilities) (string, error) {
	s, err := newScene(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	err = s.play([][2]string{
		{"open " + s.segment + " " + s.lockPath, port.Opened},
		{"call 1", port.Returned}, {"call 1", port.Returned}, {"call 1", port.Returned},
	}...)
	if err == nil {
		err = s.words(spec.Initial)
	}
	return "as specified", err
}

// words returns an error unless the words are want.
func (s *scene) words(want spec.Words) error {
	got, err := s.barrier.Words()
	if err == nil && got != want {
		err = fmt.Errorf("the words are %v, want %v", got, want)
	}
	return err
}

// withdrawal has the first of two parties give up when it has been counted, and
// then meet the second one.
func withdrawal(ctx context.Context, t Trial, can port.Capabilities) (string, error) {
	if !can.Withdraw {
		return "", errUnable
	}
	s, err := newScene(ctx, t.Port)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := s.port.Open(s.segment, s.lockPath); err != nil {
		return "", err
	}
	call, giveUp := context.WithCancel(ctx)
	defer giveUp()
	done := make(chan error, 1)
	go func() { done <- s.port.Wait(call, 2) }()
	limit, end := context.WithTimeout(ctx, port.Limit)
	defer end()
	for counted := false; !counted; {
		words, err := s.barrier.Words()
		if err != nil {
			return "", err
		}
		select {
		case err := <-done:
			return "", fmt.Errorf("it returned alone from a call of 2 (%v)", err)
		case <-limit.Done():
			return "", fmt.Errorf("it has not counted itself after %v", port.Limit)
		default:
			counted = words.Enter == 1
			runtime.Gosched()
		}
	}
	giveUp()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			return "", fmt.Errorf("asked to give up, it ends with %v", err)
		}
	case <-limit.Done():
		return "", fmt.Errorf("asked to give up, it goes on for %v", port.Limit)
	}
	if err := s.words(spec.Words{Enter: 0, Exit: 2, Flag: spec.Down}); err != nil {
		return "", fmt.Errorf("after it gave up: %w", err)
	}
	go func() { done <- s.port.Wait(ctx, 2) }()
	if err := s.barrier.Wait(limit, 2); err != nil {
		return "", fmt.Errorf("after it gave up and called again, its peer: %w", err)
	}
	select {
	case err := <-done:
		return "as if it had never come", err
	case <-limit.Done():
		return "", fmt.Errorf("after it gave up and called again, its peer has returned and it has not: %q did not come for %v", port.Returned, port.Limit)
	}
}

// lockFile has the port find the lock file made anew, and locked by another.
func lockFile(ctx context.Context, t Trial, can port.Capabilities) (_ string, err error) {
	if !can.White {
		return "", errUnable
	}
	stage, err := lockstep.NewStage(2, false, func(int) (lockstep.Party, error) {
		p, err := start(ctx, t.Port)
		if err != nil {
			return nil, err
		}
		return lockstep.NewProcess(p, false)
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	// Party 0 has used the old file, and party 1 holds the new one.
	for _, line := range []struct {
		party         int
		request, want string
	}{
		{0, "call 2", "at Call"}, {0, "go", "at LockInit"}, {0, "go", "at InitExit"}, {0, "go", "at UnlockInit"}, {0, "go", "at LockEnter"},
		{0, lockstep.Relink, ""},
		{1, "call 2", "at Call"}, {1, "go", "at LockInit"}, {1, "go", "at InitExit"},
		{0, "go", "at LockEnter"},
		{1, "go", "at UnlockInit"}, {1, "go", "at LockEnter"},
		{0, "go", "at TestFirst"},
	} {
		got, err := stage.Ask(line.party, line.request)
		if err != nil {
			return "", err
		}
		if got != line.want {
			return "", fmt.Errorf("the lock file was made anew and locked by another; asked %q, party %d is %s, want %s", line.request, line.party, got, line.want)
		}
	}
	return "taken by its name", nil
}
