//go:build linux

package conformance

import (
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// conversation has the port open a barrier, refuse requests before and after
// that, and end, once as it is asked to and once with its input.
func conversation(s *subject) (string, error) {
	f := s.fixture()
	defer f.close()
	for _, request := range []string{"call 1", "dance", "close"} {
		f.ask(request, "error")
	}
	f.ask(f.open(), port.Opened)
	before := f.words()
	for _, request := range []string{"call 0", "call -1", "call 2147483648", "call x", "call 18446744073709551617", "white", f.open()} {
		f.ask(request, "error")
	}
	f.expectWords(before)
	f.try(func() error { return f.port.Close() })
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
	return "as specified", idle.err
}

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
