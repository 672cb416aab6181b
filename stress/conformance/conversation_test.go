//go:build linux

package conformance

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
)

func newSubject(ctx context.Context, name string) *subject {
	return &subject{ctx: ctx, Options: Options{Port: name, Limit: port.Limit}}
}

// TestProc_SamplesRefuseUnconstructed: the samples to copy do not open a
// segment that a peer has sized and not yet constructed.
func TestProc_SamplesRefuseUnconstructed(t *testing.T) {
	for _, name := range []string{"c", "rust"} {
		t.Run(name, func(t *testing.T) {
			porttest.Need(t, name)
			f := newSubject(t.Context(), name).fixture()
			defer f.close()
			f.setAll(spec.Words{})
			f.ask(f.open(), "error")
			f.setAll(spec.Initial)
			f.ask(f.open(), port.Opened)
			if f.err != nil {
				t.Error(f.err)
			}
		})
	}
}

// TestProc_PortsRefuse: a port answers a line that is no request, or is out of
// place, with an error, before open, after it and in a black-box call. It obeys
// the next request.
func TestProc_PortsRefuse(t *testing.T) {
	for _, c := range []struct{ port, leave, left string }{
		{"go", "giveup", port.Withdrawn},
		{"c", "giveup", port.Withdrawn},
		{"python", "abandon", port.Abandoned},
		{"rust", "giveup", port.Withdrawn},
	} {
		t.Run(c.port, func(t *testing.T) {
			if testing.Short() && c.port == "python" {
				t.Skip("Python takes a second to start")
			}
			porttest.Need(t, c.port)
			f := newSubject(t.Context(), c.port).fixture()
			defer f.close()
			if c.port == "go" { // which opens the lock file at once
				f.ask("open "+f.segment+" /missing/"+strings.Repeat("\a", 3900), "error")
			}
			for _, exchange := range [][2]string{
				{"white x", "error"}, {"open", "error"}, {strings.Repeat("x", 9000), "error"}, {"call 1", "error"}, {"close", "error"}, {"giveup", "error"},
				{"open " + strings.Repeat("ö", 1900) + " /lock", "error"}, {"open " + strings.Repeat("\a", 3900) + " /lock", "error"}, {"open a/b" + strings.Repeat("é", 1000) + " /lock", "error"},
				{f.open(), port.Opened},
				{"call", "error"}, {"close x", "error"}, {"white", "error"}, {"call 2147483648", "error"}, {strings.Repeat("ö", 200), "error"}, {" " + strings.Repeat("ö", 200), "error"},
				{"call 2", ""}, {"dance", "error"}, {"call 2", "error"}, {strings.Repeat("y", 20000), "error"}, {c.leave, c.left},
				{"dance", "error"}, {"close", port.Closed},
			} {
				if exchange[1] == "" { // no answer yet
					f.send(exchange[0])
				} else {
					f.ask(exchange[0], exchange[1])
				}
			}
			if f.err != nil {
				t.Error(f.err)
			}
		})
	}
}

// TestProc_PortsRefuseInWhiteBox: a port at a step refuses what is not in place
// there, a giveup where that has no effect, and stays at the step.
func TestProc_PortsRefuseInWhiteBox(t *testing.T) {
	for _, name := range []string{"go", "c", "rust", "python"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "python" {
				t.Skip("Python takes a second to start")
			}
			porttest.Need(t, name)
			f := newSubject(t.Context(), name).fixture()
			defer f.close()
			f.openWhite()
			refused := map[spec.Step]bool{}
			f.lead("call 1", func(step spec.Step) {
				for _, wrong := range []string{"dance", "white", "call 1", "close", f.open(), "giveup"} {
					if wrong != "giveup" || !slices.Contains(givesUp, step) {
						f.ask(wrong, "error")
					}
				}
				refused[step] = true
			})
			f.ask("giveup", "error")
			f.expectWords(spec.Initial)
			if f.err != nil || len(refused) != len(spec.CallSteps) {
				t.Errorf("refused at %v, want at all %d; %v", refused, len(spec.CallSteps), f.err)
			}
		})
	}
}

// TestProc_PortsLockFile: a port makes the lock file with a mode with which no
// other user may write it. It does not follow a symbolic link, at its first
// call at the latest, and opens no other file that is not regular.
func TestProc_PortsLockFile(t *testing.T) {
	for _, name := range []string{"go", "c", "rust", "python"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "python" {
				t.Skip("Python takes a second to start")
			}
			porttest.Need(t, name)
			f := newSubject(t.Context(), name).fixture()
			defer f.close()
			os.Remove(f.lockPath)
			f.ask(f.open(), port.Opened)
			f.ask("call 1", port.Returned)
			if info, err := os.Lstat(f.lockPath); f.err != nil || err != nil || !info.Mode().IsRegular() || info.Mode()&0o022 != 0 {
				t.Fatalf("it makes the lock file %v, %v, %v", info, err, f.err)
			}
			for what, replace := range map[string]func(path string) error{
				"a symbolic link": func(path string) error { return os.Symlink("elsewhere", path) },
				"a folder":        func(path string) error { return os.Mkdir(path, 0o700) },
			} {
				f := newSubject(t.Context(), name).fixture()
				defer f.close()
				os.Remove(f.lockPath)
				f.try(func() error { return os.WriteFile(filepath.Join(f.files.Dir, "elsewhere"), nil, 0o600) })
				f.try(func() error { return replace(f.lockPath) })
				f.send(f.open())
				if f.receive() == port.Opened {
					f.ask("call 1", "error")
				}
				if f.err != nil {
					t.Errorf("with %s in the place of the lock file: %v", what, f.err)
				}
			}
		})
	}
}

// TestHazard_Conversation: the check says what a port does wrong. The first
// port does nothing wrong.
func TestHazard_Conversation(t *testing.T) {
	const obey = `o=; echo port 1; while read -r r rest; do case $o$r in open) o=1; echo opened;; 1close) `
	const right = `echo closed; exit;; *) echo error no;; esac; done`
	for _, c := range []struct{ name, port, want string }{
		{"as it should be", obey + right, ""},
		{"nonsense", `echo port 1; read -r r; echo what; read -r r`, `line 2 is "what", in answer to "call 1"`},
		{"no text", `echo port 1; read -r r; printf '\377\n'; read -r r`, "not UTF-8"},
		{"no end", `echo port 1; read -r r; yes | tr -d '\n'`, "longer than 4096 bytes"},
		{"dies", `echo port 1; read -r r; exit 3`, "exit status 3"},
		{"takes everything", `echo port 1; while read -r r; do echo opened; done`, `with "opened", want "error"`},
		{"talks on", obey + `echo closed; echo bye; exit;; *) echo error no;; esac; done`, `is "bye`},
		{"fails at last", obey + `echo closed; exit 4;; *) echo error no;; esac; done`, "exit status 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := conversation(newSubject(t.Context(), "exec:"+c.port))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestHazard_SwallowedAnswer has a port that takes part in every step of the
// withdrawal check and swallows its last answer. Its peer gets through.
func TestHazard_SwallowedAnswer(t *testing.T) {
	t.Parallel()
	goPort := porttest.GoPort(t)
	for _, c := range []struct {
		name, last string
		limit      time.Duration
		want       string
	}{
		{"says it", `echo returned`, port.Limit, ""},
		{"swallows it", `:`, 5 * time.Second, `"returned" did not come`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t.Context(), "exec:"+goPort+
				` | while read -r line; do case $line in returned) `+c.last+`;; *) echo "$line";; esac; done`)
			s.can.Withdraw, s.Limit = true, c.limit
			_, err := withdrawal(s)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("withdrawal of a port that %s: %v, want an error with %q", c.name, err, c.want)
			}
		})
	}
}
