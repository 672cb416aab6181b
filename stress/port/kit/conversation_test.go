//go:build linux

package kit_test

import (
	"bufio"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
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

// TestPortRefusesInCall: a request that is not in place during a black-box call
// is answered, and one that is in place is obeyed.
func TestPortRefusesInCall(t *testing.T) {
	for _, name := range []string{"rust"} {
		t.Run(name, func(t *testing.T) {
			porttest.Need(t, name)
			for request, want := range map[string]string{"dance": "error", "giveup": port.Withdrawn} {
				_, segment, lockPath := porttest.NewBarrier(t)
				got := converse(t, name, 3, "open "+segment+" "+lockPath, "call 2", request)
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s answers %q during a call with %q, want %q", name, request, got, want)
				}
			}
		})
	}
}

// converse writes all requests to a new port at once and returns the n-th line
// that it says.
func converse(t *testing.T, name string, n int, requests ...string) (line string) {
	t.Helper()
	cmd, err := port.Command(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }) // a port that says nothing
	defer timer.Stop()
	if _, err := io.WriteString(in, strings.Join(requests, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range n {
		if !lines.Scan() {
			return ""
		}
	}
	return lines.Text()
}

// wantFailure makes a request of a new port and looks at the answer.
func wantFailure(t *testing.T, name string, want bool, request string) {
	t.Helper()
	p, err := port.Start(t.Context(), name)
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
