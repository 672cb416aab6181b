package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// validate runs the command.
func validate(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	return clitest.Run(t.Context(), command(), stdin, args...)
}

func TestUnit_Accepted(t *testing.T) {
	const want = "The trace is a behaviour of the model: 11 events of 2 processes.\n"
	for _, c := range []struct{ stdin, path string }{{"", accepttest.File(t, accepttest.Example)}, {accepttest.Example, "-"}} {
		if out, errs, err := validate(t, c.stdin, c.path); out != want || errs != "" || err != nil {
			t.Errorf("validate %s: got %q, %q, %v, want %q", c.path, out, errs, err, want)
		}
	}
}

// TestHazard_Rejected: one wrong word is found in the right line, and the
// command that is printed finds it again in the lines up to there.
func TestHazard_Rejected(t *testing.T) {
	path := accepttest.File(t, accepttest.Spoilt)
	out, errs, err := validate(t, "", path)
	if !errors.Is(err, cli.Exit(spec.ExitSafety)) {
		t.Fatalf("validate: got %v, want exit code %d", err, spec.ExitSafety)
	}
	golden.File(t, "testdata/rejected.txt", out)
	want := "reproduce: head -n 7 " + cli.Quoted(path) + " | go run ./model/validate -"
	if !strings.Contains(errs, want) {
		t.Errorf("validate: stderr %q, want %q", errs, want)
	}
	prefix := strings.Join(strings.SplitAfter(accepttest.Spoilt, "\n")[:7], "")
	if again, _, _ := validate(t, prefix, "-"); again != out {
		t.Errorf("the first 7 lines: got %q, want the same as of all: %q", again, out)
	}
	if _, _, err := validate(t, strings.Join(strings.SplitAfter(accepttest.Spoilt, "\n")[:6], ""), "-"); err != nil {
		t.Errorf("the first 6 lines: got %v, want them accepted", err)
	}
}

// TestUnit_BadFiles: what is no trace is refused with what to do.
func TestUnit_BadFiles(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{filepath.Join(t.TempDir(), "none"), "no such file"},
		{accepttest.File(t, "text\n"), "no trace (spec/TRACES.md): line 1"},
		{accepttest.File(t, accepttest.Example+"{}\n"), "line 13: label"},
	} {
		_, _, err := validate(t, "", c.path)
		if err == nil || errors.As(err, new(cli.Exit)) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(c.path)) {
			t.Errorf("validate %s: got %v, want an error with %q and the path", c.path, err, c.want)
		}
	}
}

// TestGolden_Schema: the schema takes what --json prints, and nothing else.
func TestGolden_Schema(t *testing.T) {
	schema := golden.Schema(t, "report.schema.json")
	valid := func(text string) error { return schema.Validate(golden.JSON(t, text)) }
	accepted, _, _ := validate(t, accepttest.Example, "-", "--json")
	rejected, _, _ := validate(t, strings.Replace(accepttest.Example, `"exit":-1,"flag":1}}`+"\n"+`{"proc":1,"label":"UnlockInit"`, `"exit":0,"flag":1}}`+"\n"+`{"proc":1,"label":"UnlockInit"`, 1), "-", "--json")
	for _, text := range []string{accepted, rejected} {
		if err := valid(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if !strings.Contains(rejected, `"part":"word"`) {
		t.Fatalf("the second trace: got %s, want it rejected for a word", rejected)
	}
	for old, new := range map[string]string{
		`"version":1`: `"version":2`, `"verdict":"violated"`: `"verdict":"passed"`, `"procs":2,`: `"procs":17,`, `"events":11`: `"events":-1`,
		`"frontier":1`: `"frontier":0`, `"line":6`: `"line":1`, `"part":"word"`: `"part":"none"`, `"why":"`: `"because":"`, `"number":1`: `"number":-1`,
		`"label":"InitExit"`: `"label":""`,
	} {
		if wrong := strings.Replace(rejected, old, new, 1); wrong == rejected {
			t.Errorf("%s has no %s", rejected, old)
		} else if valid(wrong) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}
