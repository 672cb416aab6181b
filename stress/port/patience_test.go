//go:build linux

package port

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// SetLimit sets the limit of the answers from the next one on.
func (p *Port) SetLimit(limit time.Duration) { p.limit = limit }

func startShell(t *testing.T, script string) *Port {
	t.Helper()
	p, err := Start(t.Context(), "script", exec.Command("/bin/sh", "-c", script), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// TestUnit_Patience: of an hour in which the runner did not look, and of time
// in which the port was stopped, little counts. The control runs.
func TestUnit_Patience(t *testing.T) {
	p := startShell(t, "echo port 1; read -r request")
	for _, c := range []struct {
		name    string
		stopped bool
		looks   int
		want    bool
	}{
		{"one look after an hour", false, 1, false},
		{"many looks, and the port runs", false, 25, true},
		{"many looks, and the port is stopped", true, 25, false},
	} {
		if c.stopped && !p.Stop() {
			t.Fatal("the port was not stopped")
		}
		left, spent := p.Patience(time.Second), false
		for range c.looks {
			left.last = left.last.Add(-time.Hour)
			spent = left.Spent()
		}
		if spent != c.want {
			t.Errorf("%s: a limit of a second is spent: %v, want %v", c.name, spent, c.want)
		}
	}
}

// TestProc_Strays: the end of a port kills what has left its process group,
// whether its parent lives or not, though it holds the port's streams open.
func TestProc_Strays(t *testing.T) {
	for name, script := range map[string]string{
		"its parent lives": `setsid sh -c 'echo port 1; exec sleep 1000000000' & wait`,
		"its parent ended": `(setsid sh -c 'echo port 1; exec sleep 1000000000' &); read -r request`,
	} {
		p := startShell(t, script)
		p.Kill()
		if strays := p.Strays(); len(strays) == 0 {
			t.Errorf("a process that has left the group, %s: the end of the port has killed %q, want it", name, strays)
		}
	}
}

// What a port says of an error cannot reach a terminal as it is.
func TestUnit_ErrorsAreQuoted(t *testing.T) {
	p := startShell(t, `echo port 1; read -r request; printf 'error \033[2Jbye\n'; read -r request`)
	err := p.Open("demo", "/x")
	if err == nil {
		t.Fatal("open has not failed")
	}
	for _, r := range err.Error() {
		if r < ' ' {
			t.Errorf("the error has control characters: %q", err)
		}
	}
}

// TestProc_FrozenReader: a port that is stopped for longer than its limit, while
// its pipe is full, may read the rest of a request afterwards.
func TestProc_FrozenReader(t *testing.T) {
	t.Parallel()
	const limit, long = 2 * time.Second, 1 << 18                                                                        // more than a pipe holds
	p, err := Start(t.Context(), "script", exec.Command("/bin/sh", "-c", `echo port 1; exec sed -u 's/.*/ok/'`), limit) // a shell that is about to start a program cannot be stopped
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if !p.Stop() {
		t.Fatal("the port was not stopped")
	}
	time.AfterFunc(2*limit, p.Continue)
	if answer, err := p.Ask(strings.Repeat("x", long)); err != nil || answer != OK {
		t.Errorf("the answer is %q, %v; want %q", answer, err, OK)
	}
}
