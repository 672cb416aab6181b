//go:build linux

package conformance

import (
	"os"
	"slices"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// conversation has the port open a barrier, refuse requests before and after
// that, and end, once as it is asked to and once with its input.
func conversation(s *subject) (string, error) {
	f := s.fixture()
	defer f.close()
	// An answer that repeats the last one would be longer than a line may be.
	for _, request := range []string{"call 1", "dance", "close", "dance " + strings.Repeat("λ", 2045)} {
		f.ask(request, "error")
	}
	f.ask(f.open(), port.Opened)
	before := f.words()
	for _, request := range []string{"call 0", "call -1", "call 2147483648", "call x", "call 18446744073709551617", "white", f.open()} {
		f.ask(request, "error")
	}
	f.expectWords(before)
	f.leavesFiles("close", func() { f.try(func() error { return f.port.Close() }) })
	f.try(func() error {
		if left := f.port.Strays(); len(left) > 0 {
			return finding("PORTS.md, section 2: end", "after close processes go on that it has started outside of its process group, and that the runner has ended: %s", strings.Join(left, ", "))
		}
		return nil
	})
	if f.err != nil {
		return "", f.err
	}
	idle := s.fixture()
	defer idle.close()
	idle.try(func() error { return idle.port.EndInput() })
	if idle.err == nil && s.can.White {
		idle.err = outOfPlace(s)
	}
	return "as specified", idle.err
}

// leavesFiles has the port do what must change neither the words nor the files
// of the barrier, in the middle of a round of others.
func (f *fixture) leavesFiles(what string, do func()) {
	used := spec.Words{Enter: 1, Exit: 2, Flag: spec.Down}
	f.setAll(used)
	var before []os.FileInfo
	paths := []string{f.path(), f.lockPath}
	for _, path := range paths {
		f.try(func() error {
			info, err := os.Lstat(path)
			before = append(before, info)
			return err
		})
	}
	do()
	for i, path := range paths {
		f.try(func() error {
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before[i], after) {
				return finding("PORTS.md, section 2", "on %s it removes or replaces a file of the barrier, which others use: %q (%v)", what, path, err)
			}
			return nil
		})
	}
	if now := f.words(); f.err == nil && now != used {
		f.err = finding("PORTS.md, section 2", "on %s it makes the words %v of %v, which others use", what, now, used)
	}
}

// outOfPlace leads a white-box port through a call of 1. At each step it has
// the port refuse what is out of place there.
func outOfPlace(s *subject) error {
	f := s.fixture()
	defer f.close()
	f.openWhite()
	answer := f.lead("call 1", func(step spec.Step) {
		refused := []string{"dance"}
		poll := step == spec.AwaitDrain || step == spec.AwaitFlag
		if !poll {
			refused = append(refused, "abandon")
		}
		if !slices.Contains(givesUp, step) {
			refused = append(refused, "giveup")
		}
		for _, request := range refused {
			f.ask(request, "error")
		}
		f.err = f.errorf("at %v", step)
	})
	f.try(func() error {
		if answer != port.Returned {
			return finding("PORTS.md, section 3", "in a call it answers %.300q, want %q or a step", answer, port.Returned)
		}
		return nil
	})
	return f.err
}

// givesUp are the steps at which a call heeds a request to give up
// (PROTOCOL.md, section 5).
var givesUp = []spec.Step{spec.LockInit, spec.LockEnter, spec.AwaitDrain, spec.LockFirst, spec.AwaitFlag}

// inCall has a port that waits in a call refuse a request and abandon its wait
// if it can, and has another one meet the end of its input.
func inCall(s *subject) (string, error) {
	f := s.waiting()
	defer f.close()
	for _, request := range []string{"dance", f.open(), "call 2", "close"} {
		f.ask(request, "error")
	}
	f.expectWords(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
	if s.can.Abandon {
		f.ask("abandon", port.Abandoned)
		f.expectWords(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
	}
	if f.err != nil {
		return "", f.err
	}
	ending := s.waiting()
	defer ending.close()
	ending.try(func() error { return ending.port.EndInput() })
	return "as specified", ending.err
}
