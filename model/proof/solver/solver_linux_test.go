package solver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

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

// saysVersion is the body of a Z3 that passes the trial.
const saysVersion = `case "$1" in --version) echo "Z3 version 0.0.1";; *) echo sat; echo unsat;; esac`

// bare gives the test an environment without solvers. It returns a PATH with the
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
	for _, k := range Kinds {
		t.Setenv(k.Variable, "")
	}
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
		clitest.Script(t, where, saysVersion)
		if filepath.Base(where) == "mine" {
			t.Setenv(Z3.Variable, where)
		}
		s, err := Z3.Find(t.Context(), quiet)
		if err != nil || s.Path != where || s.String() != "Z3 0.0.1" {
			t.Errorf("Find() = %+v, %v, want %s", s, err, where)
		}
	}
}

// TestUnit_FindWhatIsNoSolver: a variable that names another program is an
// error, though there is a solver on PATH.
func TestUnit_FindWhatIsNoSolver(t *testing.T) {
	path, _ := bare(t)
	clitest.Script(t, filepath.Join(path, "z3"), saysVersion)
	unsat := strings.Replace(saysVersion, "echo sat", "echo unsat", 1)
	for _, tc := range []struct {
		kind  *Kind
		wrong string
	}{
		{Z3, filepath.Join(t.TempDir(), "nothing")},
		{Z3, clitest.Script(t, filepath.Join(t.TempDir(), "cvc5"), "echo This is cvc5")},
		{Z3, clitest.Script(t, filepath.Join(t.TempDir(), "always"), unsat)},
		{CVC5, clitest.Script(t, filepath.Join(t.TempDir(), "python3"), "echo No module named cvc5; exit 1")},
		{CVC5, clitest.Script(t, filepath.Join(t.TempDir(), "always"), strings.Replace(unsat, "Z3 version", "cvc5", 1))},
	} {
		t.Setenv(tc.kind.Variable, tc.wrong)
		s, err := tc.kind.Find(t.Context(), quiet)
		if !errors.Is(err, tc.kind.missing) || !strings.Contains(err.Error(), tc.kind.Variable) || !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("Find() = %+v, %v, want an error with %s and %s", s, err, tc.kind.Variable, tc.wrong)
		}
	}
}

// python stands in for python3 -c MAKEVENV DIR, and for the pip in DIR, which
// checks that it must check hashes and then runs INSTALL.
const python = `
[ "$1 $2" = "-I -c" ] || exit 9
mkdir -p "$4/bin"
cat > "$4/bin/python3" <<'END'
#!/bin/sh
case "$*" in *"--require-hashes -r "*) ;; *"pip config"*) exit 0;; *) echo "no hashes asked for"; exit 9;; esac
HERE="${0%/python3}"
INSTALL
END
chmod +x "$4/bin/python3"`

// TestUnit_FindInstalls: Find installs a solver once, and says to remove what
// it finds broken later.
func TestUnit_FindInstalls(t *testing.T) {
	for _, k := range Kinds {
		path, cached := bare(t)
		install := strings.Replace(`cat > "$HERE/PROGRAM" <<'EOF'
#!/bin/sh
case "$*" in *--version) echo "NAME 4.16.0";; *) echo sat; echo unsat;; esac
EOF
chmod +x "$HERE/PROGRAM"`, "NAME", k.Name, 1)
		clitest.Script(t, filepath.Join(path, "python3"), strings.Replace(python, "INSTALL", strings.ReplaceAll(install, "PROGRAM", k.installed), 1))
		said := 0
		var s Solver
		for range 2 {
			var err error
			if s, err = k.Find(t.Context(), func(string) { said++ }); err != nil || s.Version != "4.16.0" || len(cached()) != 1 || said != 1 {
				t.Fatalf("%s: Find() = %+v, %v after %d lines, leaves %q, want one entry and one line", k.Name, s, err, said, cached())
			}
		}
		clitest.Script(t, s.Path, "exit 1")
		if s, err := k.Find(t.Context(), quiet); !errors.Is(err, k.missing) || !strings.Contains(err.Error(), "remove "+cached()[0]) {
			t.Errorf("%s: Find() = %+v, %v, want an error that says to remove %s", k.Name, s, err, cached()[0])
		}
	}
}

// TestUnit_FindCannotInstall: without a Python that can install a solver Find
// says so and leaves nothing.
func TestUnit_FindCannotInstall(t *testing.T) {
	path, cached := bare(t)
	for _, want := range []string{"python3", "HASHES"} {
		for _, k := range Kinds {
			s, err := k.Find(t.Context(), quiet)
			if !errors.Is(err, k.missing) || !strings.Contains(err.Error(), want) || len(cached()) > 0 {
				t.Errorf("%s: Find() = %+v, %v, leaves %q, want an error with %s and nothing left", k.Name, s, err, cached(), want)
			}
		}
		clitest.Script(t, filepath.Join(path, "python3"), strings.Replace(python, "INSTALL", "echo THESE PACKAGES DO NOT MATCH THE HASHES; exit 1", 1))
	}
}

// first are the conditions that the false solvers are asked about.
var first = proof.Conditions(proof.Protocol())[:2]

// TestUnit_DecideAnswers: Decide believes no answer that makes no sense.
func TestUnit_DecideAnswers(t *testing.T) {
	const hear = "while read line; do [ \"$line\" = '(check-sat)' ] && "
	for _, tc := range []struct {
		name, body string
		verdict    spec.Verdict
		err        string
	}{
		{"unsat", hear + "echo unsat; done; :", spec.Verified, ""},
		{"sat", hear + "echo sat; done; :", spec.Violated, ""},
		{"unknown", hear + "echo unknown; done; :", spec.Unfinished, ""},
		{"timeout", hear + "echo timeout; done; :", spec.Unfinished, ""},
		{"silent", "sleep 1000", spec.Unfinished, ""},
		{"nonsense", hear + "echo maybe; done; :", "", `"maybe"`},
		{"error", hear + `echo '(error "line 1")'; done; :`, "", `(error \"line 1\")`},
		{"too few answers", "echo unsat", "", first[1].Name + ": no answer"},
		{"too many answers", "echo unsat; echo sat; echo unsat", "", "3 lines for 2"},
		{"dies", "echo unsat; exit 1", "", first[1].Name + ": exit status 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Solver{Kind: Z3, Path: clitest.Script(t, filepath.Join(t.TempDir(), "z3"), tc.body)}
			limit := time.Minute
			if tc.name == "silent" {
				limit = time.Millisecond
			}
			got, err := s.Decide(t.Context(), first, limit, func(int) {})
			if tc.err == "" && (err != nil || !slices.Equal(got, []spec.Verdict{tc.verdict, tc.verdict})) {
				t.Errorf("Decide() = %v, %v, want %q twice", got, err, tc.verdict)
			}
			if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || got != nil) {
				t.Errorf("Decide() = %v, %v, want an error with %s", got, err, tc.err)
			}
		})
	}
}

// TestProc_DecideInterrupted: the solver ends with the context, and so does its
// child, which would hold the pipe open that Decide reads.
func TestProc_DecideInterrupted(t *testing.T) {
	ctx, running := cancelled(t)
	s := Solver{Kind: Z3, Path: clitest.Script(t, filepath.Join(t.TempDir(), "z3"), "("+running+"while :; do read line < /dev/zero; done) & wait")}
	if got, err := s.Decide(ctx, first, time.Hour, func(int) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Decide() = %v, %v, want context.Canceled", got, err)
	}
}
