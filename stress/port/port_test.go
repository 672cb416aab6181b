//go:build linux

package port_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sharedbarrier/stress/port"
)

// acts are what a script does in place of an answer, in the shell.
var acts = map[string]string{
	"<die>":    `echo I am dying >&2; exit 3`,
	"<orphan>": `exec 3<&0; while read -r request; do :; done <&3 & exit 3`, // holds the output until the input is closed
	"<hang>":   `exec sleep 1000000`,
	"<mute>":   `exec >&-; exec sleep 1000000`,
	"<half>":   `printf 'at Ca'; exit 0`,
	"<long>":   `printf '%05000d\n' 0`,
	"<bytes>":  `printf '\377\376\n'`,
}

// startScript starts a port that plays the script: one answer or act for each
// request, and the first one unasked.
func startScript(ctx context.Context, script string, limit time.Duration) (*port.Port, error) {
	var commands []string
	for _, answer := range strings.Split(script, "|") {
		act, is := acts[answer]
		if !is {
			act = `printf '` + answer + `\n'`
		}
		commands = append(commands, act)
	}
	return port.StartInGroup(ctx, "script", exec.Command("/bin/sh", "-c", strings.Join(commands, "; read -r request; ")), limit)
}

const patient = time.Minute

// TestHazard_MisbehavingPorts plays the ways in which a port can be wrong. The
// first port is right.
func TestHazard_MisbehavingPorts(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string
		kind   error
		number int
		want   string
	}{
		{"well-behaved", "port 1 white|ok|opened|at Call|at LockInit|closed", nil, 0, ""},
		{"no hello", "hello|ok", port.ErrNonsense, 1, `"hello"`},
		{"other version", "port 2 white", port.ErrNonsense, 1, `version "2"`},
		{"unknown capability", "port 1 white telepathy", port.ErrNonsense, 1, "telepathy"},
		{"capability twice", "port 1 white white", port.ErrNonsense, 1, "twice"},
		{"dies at once", "<die>", port.ErrDied, 1, "I am dying"},
		{"empty line", "port 1 white|", port.ErrNonsense, 2, `line 2 is "", in answer to "white"`},
		{"nonsense", "port 1 white|ok|opened|what?", port.ErrNonsense, 4, `"what?", in answer to "call 1"`},
		{"no such step", "port 1 white|ok|opened|at Home", port.ErrNonsense, 4, `no step is labelled "Home"`},
		{"more words", "port 1 white|ok then", port.ErrNonsense, 2, `"ok then"`},
		{"two lines", `port 1 white|ok\nok`, port.ErrNonsense, 3, "a second line"},
		{"carriage return", "port 1 white|ok\r", port.ErrNonsense, 2, `"ok\r"`},
		{"no text", "port 1 white|<bytes>", port.ErrNonsense, 2, "not UTF-8"},
		{"long line", "port 1 white|<long>", port.ErrNonsense, 2, "longer than 4096"},
		{"half a line", "port 1 white|ok|opened|<half>", port.ErrNonsense, 4, `"at Ca"`},
		{"dies", "port 1 white|ok|opened|at Call|<die>", port.ErrDied, 5, `line 5 did not come, in answer to "go": exit status 3; its standard error ends with "I am dying"`},
		{"dies, and something stays", "port 1 white|ok|opened|at Call|<orphan>", port.ErrDied, 5, "exit status 3"},
		{"hangs", "port 1 white|ok|opened|<hang>", port.ErrSilent, 4, `in answer to "call 1": nothing for`},
		{"mute", "port 1 white|ok|opened|<mute>", port.ErrSilent, 4, "it has closed its output and stays"},
		{"does not close", "port 1 white|ok|opened|at Call|at LockInit|<hang>", port.ErrSilent, 6, `"close"`},
		{"closes otherwise", "port 1 white|ok|opened|at Call|at LockInit|<die>", port.ErrDied, 6, "exit status 3"},
		{"talks on", `port 1 white|ok|opened|at Call|at LockInit|closed\nbye`, port.ErrNonsense, 7, "second line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := startScript(t.Context(), c.script, patient)
			answers := strings.Split(c.script, "|")
			for i, request := range []string{"white", "open demo /tmp/demo.lock", "call 1", "go", "close"} {
				if err != nil {
					break
				}
				act := answers[min(i+1, len(answers)-1)]
				if act == "<hang>" || act == "<mute>" { // no earlier answer is in a hurry
					p.SetLimit(time.Second)
				}
				switch {
				case request == "close":
					err = p.Close()
				case act == "<mute>":
					err = p.Wait(t.Context(), 1) // without a limit until the output is closed
				default:
					_, err = p.Ask(request)
				}
			}
			if c.kind == nil {
				if err != nil {
					t.Errorf("the port that behaves: %v", err)
				}
				return
			}
			var e *port.Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Number != c.number || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v\nwant %v in line %d, with %q", err, c.kind, c.number, c.want)
			}
		})
	}
}

// TestProc_FailureIsAnAnswer: Ask returns a failure that a port reports, and
// other methods return ErrFailed.
func TestProc_FailureIsAnAnswer(t *testing.T) {
	p, err := startScript(t.Context(), "port 1|error no such segment|error still not", patient)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.Ask("open demo /x")
	if text, is := port.Failure(answer); err != nil || !is || text != "no such segment" {
		t.Errorf("Ask(open) = %q, %v; want the port's failure", answer, err)
	}
	if err := p.Open("demo", "/x"); !errors.Is(err, port.ErrFailed) || !strings.Contains(err.Error(), "still not") {
		t.Errorf("Open = %v, want ErrFailed with the port's text", err)
	}
}

// TestProc_KillEndsAWait kills a port while a call waits for its answer.
func TestProc_KillEndsAWait(t *testing.T) {
	p, err := startScript(t.Context(), "port 1|opened|<hang>", patient)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Open("demo", "/x"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- p.Wait(context.Background(), 2) }()
	p.Kill()
	if err := <-done; err == nil {
		t.Error("Wait on a killed port = nil, want an error")
	}
	if answer, came, err := p.TryReceive(); !errors.Is(err, port.ErrDied) {
		t.Errorf("TryReceive on a killed port = %q, %v, %v; want ErrDied", answer, came, err)
	}
}

// TestProc_EndOfTheContext ends the context before the first line and before an
// answer. The error is not the port's.
func TestProc_EndOfTheContext(t *testing.T) {
	for _, script := range []string{"<hang>", "port 1|<hang>"} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			p, err := startScript(ctx, script, patient)
			if err == nil {
				_, err = p.Ask("white")
				p.Kill()
			}
			ended <- err
		}()
		cancel()
		var wrong *port.Error
		if err := <-ended; !errors.Is(err, context.Canceled) || errors.As(err, &wrong) {
			t.Errorf("script %q: got %v, want that the context has ended", script, err)
		}
	}
}

func TestUnit_NoSuchProgram(t *testing.T) {
	if _, err := port.Start(t.Context(), "nowhere", exec.Command("/nonexistent"), patient); err == nil {
		t.Error("Start(/nonexistent) = nil, want an error")
	}
}
