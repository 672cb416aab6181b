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

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/z3"
	"sharedbarrier/spec"
)

// script writes an executable shell script. Tests that run scripts do not run
// in parallel: a process that is being started holds all open files for a
// moment, and a script that is open for writing cannot be run.
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

// cancelled returns a context that ends when the shell that runs the command
// does so.
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

const saysVersion = `case "$1" in --version) echo "Z3 version 0.0.1";; *) echo sat; echo unsat;; esac`

// bare gives the test an environment without Z3. It returns a PATH with the
// programs that a shell script needs, without python3, and a function that
// lists the tool cache, which is empty.
func bare(t *testing.T) (path string, cached func() []string) {
	t.Helper()
	path = toolcache.OnPath(t, t.TempDir())
	for _, tool := range []string{"sh", "mkdir", "cat", "chmod"} {
		if err := os.Symlink("/bin/"+tool, filepath.Join(path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", path)
	t.Setenv(z3.PathVariable, "")
	return path, func() []string {
		folder, err := toolcache.Folder()
		if err != nil {
			t.Fatal(err)
		}
		entries, _ := filepath.Glob(filepath.Join(folder, "*"))
		hidden, _ := filepath.Glob(filepath.Join(folder, ".*"))
		return append(entries, hidden...)
	}
}

func quiet(string) {}

// TestUnit_FindOrder: Find takes the z3 of the variable before the one on PATH.
// The one of the cache is in TestUnit_FindInstalls.
func TestUnit_FindOrder(t *testing.T) {
	path, _ := bare(t)
	for _, where := range []string{filepath.Join(path, "z3"), filepath.Join(t.TempDir(), "mine")} {
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

// TestUnit_FindWhatIsNoZ3: a variable that names no z3 is an error, though
// there is one on PATH.
func TestUnit_FindWhatIsNoZ3(t *testing.T) {
	path, _ := bare(t)
	script(t, filepath.Join(path, "z3"), saysVersion)
	for _, wrong := range []string{filepath.Join(t.TempDir(), "nothing"), script(t, filepath.Join(t.TempDir(), "cvc5"), "echo This is cvc5"),
		script(t, filepath.Join(t.TempDir(), "always"), strings.Replace(saysVersion, "echo sat", "echo unsat", 1))} {
		t.Setenv(z3.PathVariable, wrong)
		if s, err := z3.Find(t.Context(), quiet); !errors.Is(err, z3.ErrMissing) || !strings.Contains(err.Error(), z3.PathVariable) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("Find() = %+v, %v, want ErrMissing with %s and %s", s, err, z3.PathVariable, wrong)
		}
	}
}

// python stands in for python3 -m venv DIR, and for the pip in DIR, which
// checks that it must check hashes and then runs INSTALL.
const python = `
[ "$1 $2" = "-I -c" ] || exit 9
mkdir -p "$4/bin"
cat > "$4/bin/python3" <<'END'
#!/bin/sh
case "$*" in *"--require-hashes -r "*) ;; *) echo "no hashes asked for"; exit 9;; esac
HERE="${0%/python3}"
INSTALL
END
chmod +x "$4/bin/python3"`

// TestUnit_FindInstalls: Find installs z3 once, and says to remove what it
// finds broken later.
func TestUnit_FindInstalls(t *testing.T) {
	path, cached := bare(t)
	script(t, filepath.Join(path, "python3"), strings.Replace(python, "INSTALL", `printf '#!/bin/sh\n[ "$1" = -in ] && echo "sat unsat" || echo "Z3 version 4.16.0"\n' > "$HERE/z3"; chmod +x "$HERE/z3"`, 1))
	said := 0
	var s z3.Solver
	for range 2 {
		var err error
		if s, err = z3.Find(t.Context(), func(string) { said++ }); err != nil || s.Version != "4.16.0" || len(cached()) != 1 || said != 1 {
			t.Fatalf("Find() = %+v, %v after %d lines, leaves %q, want one entry and one line", s, err, said, cached())
		}
	}
	script(t, s.Path, "exit 1")
	if s, err := z3.Find(t.Context(), quiet); !errors.Is(err, z3.ErrMissing) || !strings.Contains(err.Error(), "remove "+cached()[0]) {
		t.Errorf("Find() = %+v, %v, want ErrMissing that says to remove %s", s, err, cached()[0])
	}
}

// TestUnit_FindCannotInstall: without a Python that can install z3 Find says so
// and leaves nothing.
func TestUnit_FindCannotInstall(t *testing.T) {
	path, cached := bare(t)
	for _, want := range []string{"python3", "HASHES"} {
		s, err := z3.Find(t.Context(), quiet)
		if !errors.Is(err, z3.ErrMissing) || !strings.Contains(err.Error(), want) || len(cached()) > 0 {
			t.Errorf("Find() = %+v, %v, leaves %q, want ErrMissing with %s and nothing left", s, err, cached(), want)
		}
		script(t, filepath.Join(path, "python3"), strings.Replace(python, "INSTALL", "echo THESE PACKAGES DO NOT MATCH THE HASHES; exit 1", 1))
	}
}

// first is the condition that the false solvers are asked about.
var first = proof.Conditions(proof.Protocol())[:1]

// TestUnit_ProveAnswers: Prove believes no answer that makes no sense.
func TestUnit_ProveAnswers(t *testing.T) {
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

// TestProc_ProveInterrupted: the solver ends with the context, and so does its
// child, which would hold the pipe open that Prove reads.
func TestProc_ProveInterrupted(t *testing.T) {
	ctx, running := cancelled(t)
	s := z3.Solver{Path: script(t, filepath.Join(t.TempDir(), "z3"), "("+running+"while :; do read line < /dev/zero; done) & wait")}
	err := s.Prove(ctx, first, time.Hour, func(r proof.Result) { t.Errorf("reports %+v", r) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Prove() = %v, want context.Canceled", err)
	}
}
