//go:build unix

package z3_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/z3"
	"sharedbarrier/spec"
)

// script writes an executable shell script. Tests that run scripts do not run in
// parallel: a process that is being started holds all open files for a moment,
// and a script that is open for writing cannot be run.
func script(t *testing.T, path, body string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// cancelled returns a context that ends when the shell that runs the command does so.
func cancelled(t *testing.T) (ctx context.Context, command string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(t.TempDir(), "running")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		os.ReadFile(fifo) // blocks until the shell has opened it
		cancel()
	}()
	return ctx, "echo > '" + fifo + "'; "
}

const saysVersion = `echo "Z3 version 0.0.1"`

// bare is an environment without any Z3 and with an empty cache folder, which it
// returns. The programs that a shell script needs are there; python3 is not.
func bare(t *testing.T) (cache, path string) {
	t.Helper()
	cache, path = t.TempDir(), t.TempDir()
	for _, tool := range []string{"sh", "mkdir", "cat", "chmod"} {
		if err := os.Symlink("/bin/"+tool, filepath.Join(path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // the cache folder is below it on macOS
	t.Setenv("PATH", path)
	t.Setenv(z3.PathVariable, "")
	return cache, path
}

func quiet(string) {}

// TestFind_Order: the variable before PATH before the cache folder.
func TestFind_Order(t *testing.T) {
	cache, path := bare(t)
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(folder, "sharedbarrier", "z3-solver-"+z3.PinnedVersion, "bin", "z3")
	for _, where := range []string{installed, filepath.Join(path, "z3"), filepath.Join(cache, "mine")} {
		script(t, where, saysVersion)
		if filepath.Base(where) == "mine" {
			t.Setenv(z3.PathVariable, where)
		}
		s, err := z3.Find(t.Context(), quiet)
		if err != nil || s.Path != where || s.Version != "0.0.1" {
			t.Errorf("Find() = %+v, %v, want %s", s, err, where)
		}
	}
}

// TestFind_Wrong: a variable that names no Z3 is an error that says so, though
// there is one on PATH.
func TestFind_Wrong(t *testing.T) {
	cache, path := bare(t)
	script(t, filepath.Join(path, "z3"), saysVersion)
	for _, wrong := range []string{filepath.Join(cache, "nothing"), script(t, filepath.Join(cache, "cvc5"), "echo This is cvc5")} {
		t.Setenv(z3.PathVariable, wrong)
		if s, err := z3.Find(t.Context(), quiet); err == nil || !strings.Contains(err.Error(), z3.PathVariable) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("Find() = %+v, %v, want an error that names %s and %s", s, err, z3.PathVariable, wrong)
		}
	}
}

// TestFind_Broken: what was installed and does not work is named, and left alone.
func TestFind_Broken(t *testing.T) {
	bare(t)
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(folder, "sharedbarrier", "z3-solver-"+z3.PinnedVersion)
	script(t, filepath.Join(home, "bin", "z3"), "exit 1")
	if s, err := z3.Find(t.Context(), quiet); err == nil || !strings.Contains(err.Error(), "remove "+home) {
		t.Errorf("Find() = %+v, %v, want an error that says to remove %s", s, err, home)
	}
}

// python stands in for python3 -m venv DIR, and the pip in DIR for one that does
// what its first argument says after checking that it was asked for hashes.
const python = `
[ "$1 $2" = "-m venv" ] || exit 9
mkdir -p "$3/bin"
cat > "$3/bin/python3" <<'END'
#!/bin/sh
case "$*" in *"--require-hashes -r "*) ;; *) echo "no hashes asked for"; exit 9;; esac
HERE="${0%/python3}"
INSTALL
END
chmod +x "$3/bin/python3"`

// TestFind_Install: what is not there is installed, completely or not at all.
func TestFind_Install(t *testing.T) {
	for _, tc := range []struct {
		name, install string
		works         bool
	}{
		{"works", `printf '#!/bin/sh\necho "Z3 version 4.16.0"\n' > "$HERE/z3"; chmod +x "$HERE/z3"`, true},
		{"fails", `echo THESE PACKAGES DO NOT MATCH THE HASHES; exit 1`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, path := bare(t)
			script(t, filepath.Join(path, "python3"), strings.Replace(python, "INSTALL", tc.install, 1))
			said := ""
			s, err := z3.Find(t.Context(), func(line string) { said += line })
			if !strings.Contains(said, "z3-solver "+z3.PinnedVersion) {
				t.Errorf("Find says %q, want what it installs", said)
			}
			folder, _ := os.UserCacheDir()
			left, _ := filepath.Glob(filepath.Join(folder, "sharedbarrier", "*"))
			switch {
			case tc.works && (err != nil || s.Version != "4.16.0" || len(left) != 1):
				t.Errorf("Find() = %+v, %v, leaves %q, want the installed one", s, err, left)
			case !tc.works && (!errors.Is(err, z3.ErrMissing) || !strings.Contains(err.Error(), "HASHES") || len(left) != 0):
				t.Errorf("Find() = %+v, %v, leaves %q, want ErrMissing with pip's last line and nothing left", s, err, left)
			}
		})
	}
}

// TestFind_Missing: without Z3 and Python the error says what to install.
func TestFind_Missing(t *testing.T) {
	bare(t)
	if s, err := z3.Find(t.Context(), quiet); !errors.Is(err, z3.ErrMissing) {
		t.Errorf("Find() = %+v, %v, want ErrMissing", s, err)
	}
}

// TestFind_Interrupted: an installation that is interrupted leaves nothing.
func TestFind_Interrupted(t *testing.T) {
	_, path := bare(t)
	ctx, running := cancelled(t)
	script(t, filepath.Join(path, "python3"), running+"read forever < /dev/zero")
	s, err := z3.Find(ctx, quiet)
	folder, _ := os.UserCacheDir()
	left, _ := filepath.Glob(filepath.Join(folder, "sharedbarrier", "*"))
	if !errors.Is(err, context.Canceled) || len(left) != 0 {
		t.Errorf("Find() = %+v, %v, leaves %q, want context.Canceled and nothing left", s, err, left)
	}
}

// first is the condition that the false solvers are asked about.
var first = proof.Conditions(proof.Protocol())[:1]

// TestProve_Answers: what a solver says that does not solve.
func TestProve_Answers(t *testing.T) {
	const hear = "while read line; do [ \"$line\" = '(check-sat)' ] && "
	for _, tc := range []struct {
		name, body string
		verdict    spec.Verdict
		err        string
	}{
		{"unsat", hear + "echo unsat; done", spec.Verified, ""},
		{"unknown", hear + "echo unknown; done", spec.Unfinished, ""},
		{"timeout", hear + "echo timeout; done", spec.Unfinished, ""},
		{"silent", "while read line; do :; done", spec.Unfinished, ""},
		{"nonsense", hear + "echo maybe; done", "", `"maybe"`},
		{"error", hear + `echo '(error "line 1")'; done`, "", `(error "line 1")`},
		{"dies", "read line; exit 1", "", "exit status 1"},
		{"lies", hear + `echo sat; case "$line" in "(get-value"*) n="${line#(get-value (}"; n="${n%))}"; echo "(($n 0))";; esac; done`, "", "is refuted by"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := z3.Solver{Path: script(t, filepath.Join(t.TempDir(), "z3"), tc.body)}
			var got spec.Verdict
			limit := time.Minute
			if tc.name == "silent" {
				limit = time.Millisecond
			}
			err := s.Prove(t.Context(), first, limit, func(r proof.Result) { got = r.Verdict })
			if tc.err == "" && (err != nil || got != tc.verdict) {
				t.Errorf("Prove() = %v, verdict %q, want %q", err, got, tc.verdict)
			}
			if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || got != "") {
				t.Errorf("Prove() = %v, verdict %q, want an error with %s", err, got, tc.err)
			}
		})
	}
}

// TestProve_Interrupted: the solver ends with the context, with all that it has
// started: its pipe would stay open otherwise and Prove would wait for it.
func TestProve_Interrupted(t *testing.T) {
	ctx, running := cancelled(t)
	s := z3.Solver{Path: script(t, filepath.Join(t.TempDir(), "z3"), "("+running+"while :; do read line < /dev/zero; done) & wait")}
	err := s.Prove(ctx, first, time.Hour, func(r proof.Result) { t.Errorf("reports %+v", r) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Prove() = %v, want context.Canceled", err)
	}
}
