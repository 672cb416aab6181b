//go:build linux

package conformance

import (
	"os"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

// TestPortRefusesHalfMade: the samples to copy do not open a segment that a
// peer has sized and not yet constructed.
func TestPortRefusesHalfMade(t *testing.T) {
	for _, name := range []string{"c", "rust"} {
		t.Run(name, func(t *testing.T) {
			porttest.Need(t, name)
			_, segment, lockPath := porttest.NewBarrier(t)
			made, err := os.ReadFile("/dev/shm/" + segment)
			if err != nil {
				t.Fatal(err)
			}
			for _, tc := range []struct {
				bytes []byte
				fails bool
			}{{make([]byte, spec.Size), true}, {made, false}} {
				if err := os.WriteFile("/dev/shm/"+segment, tc.bytes, 0o600); err != nil {
					t.Fatal(err)
				}
				wantFailure(t, name, tc.fails, "open "+segment+" "+lockPath)
			}
		})
	}
}

// TestPortRefuses: what is no request, or not in place, is answered with an
// error, before open, after it and in a black-box call; and what is in place is
// obeyed after that.
func TestPortRefuses(t *testing.T) {
	for _, c := range []struct{ port, leave, left string }{
		{"go", "giveup", port.Withdrawn},
		{"c", "giveup", port.Withdrawn},
		{"python", "abandon", port.Abandoned},
		{"rust", "giveup", port.Withdrawn},
	} {
		t.Run(c.port, func(t *testing.T) {
			porttest.Need(t, c.port)
			_, segment, lockPath := porttest.NewBarrier(t)
			k, err := startTalk(t.Context(), c.port)
			if err != nil {
				t.Fatal(err)
			}
			defer k.close()
			for _, exchange := range [][2]string{
				{"white x", "error"}, {"open", "error"}, {strings.Repeat("x", 9000), "error"}, {"call 1", "error"},
				{"open " + segment + " " + lockPath, port.Opened},
				{"call", "error"}, {"close x", "error"},
				{"call 2", ""}, {"dance", "error"}, {"call 2", "error"}, {strings.Repeat("y", 20000), "error"}, {c.leave, c.left},
				{"dance", "error"}, {"close", port.Closed},
			} {
				ask := func() error { return k.ask(exchange[0], exchange[1]) }
				if exchange[1] == "" { // no answer yet
					ask = func() error { return k.say(exchange[0]) }
				}
				if err := ask(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// wantFailure makes a request of a new port and looks at the answer.
func wantFailure(t *testing.T, name string, want bool, request string) {
	t.Helper()
	p, err := registry.Start(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	answer, err := p.Ask(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := port.Failure(answer); got != want {
		t.Errorf("%s answers %q with %q, want an error: %v", name, request, answer, want)
	}
}
