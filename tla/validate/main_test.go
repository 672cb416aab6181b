package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/tla/tlc"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"validate": main}) }

// validate runs the command.
func validate(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	return clitest.Run(t.Context(), command(), stdin, args...)
}

func requireTLC(t *testing.T) {
	t.Helper()
	_, err := tlc.Find(t.Context(), nil)
	toolcache.Require(t, err)
}

// TestHazard_Rejected: a wrong word is found in its line, in one order of the
// steps and in every one, and the command that is printed finds it again.
func TestHazard_Rejected(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: TestConform_Model runs TLC")
	}
	t.Parallel()
	requireTLC(t)
	path := accepttest.File(t, accepttest.Spoilt)
	out, errs, err := validate(t, "", path, "--every-order")
	if !errors.Is(err, cli.Exit(spec.ExitSafety)) {
		t.Fatalf("validate: got %v, want exit code %d\n%s", err, spec.ExitSafety, errs)
	}
	golden.File(t, "testdata/rejected.txt", out)
	if want := "reproduce: head -n 7 " + cli.Quoted(path) + " | go run ./tla/validate -"; !strings.Contains(errs, want) {
		t.Errorf("validate: stderr %q, want %q", errs, want)
	}
}

// TestGolden_Schema: the schema takes what --json prints, and nothing else. A
// trace may come by the standard input.
func TestGolden_Schema(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: TestConform_Model runs TLC")
	}
	t.Parallel()
	requireTLC(t)
	schema := golden.Schema(t, "report.schema.json")
	valid := func(text string) error { return schema.Validate(golden.JSON(t, text)) }
	accepted, _, err := validate(t, accepttest.Example, "-", "--json")
	if err != nil || !strings.Contains(accepted, `"verdict":"passed"`) {
		t.Errorf("validate of the example: got %s, %v, want it passed", accepted, err)
	}
	rejected, _, _ := validate(t, accepttest.Spoilt, "-", "--json")
	for _, text := range []string{accepted, rejected} {
		if err := valid(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for old, new := range map[string]string{
		`"version":1`: `"version":2`, `"verdict":"violated"`: `"verdict":"passed"`, `"procs":2,`: `"procs":17,`, `"events":11`: `"events":-1`,
		`"distinct":`: `"distinct":-`, `"every_order":false`: `"every_order":1`, `"line":7`: `"line":1`, `"part":"word"`: `"part":"none"`,
		`"why":"`: `"because":"`, `"number":2`: `"number":-2`, `"label":"UnlockInit"`: `"label":""`,
	} {
		if wrong := strings.Replace(rejected, old, new, 1); wrong == rejected {
			t.Errorf("%s has no %s", rejected, old)
		} else if valid(wrong) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}

// TestUnit_BadInput: what is no trace, and what TLC cannot take, is refused
// with what to do.
func TestUnit_BadInput(t *testing.T) {
	requireTLC(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{filepath.Join(t.TempDir(), "none")}, "no such file"},
		{[]string{accepttest.File(t, "text\n")}, "no trace (spec/TRACES.md): line 1"},
		{[]string{accepttest.File(t, accepttest.Example+"{}\n")}, "line 13: label"},
		{[]string{accepttest.File(t, accepttest.Example), "--memory", "much"}, "--memory much: give a size"},
		{[]string{accepttest.File(t, strings.Replace(accepttest.Example, `"number":5`, `"number":5000000000`, 1))}, "too large for TLC; go run ./model/validate takes it: line 12"},
		{[]string{}, "accepts 1 arg"},
	} {
		_, _, err := validate(t, "", c.args...)
		if err == nil || errors.As(err, new(cli.Exit)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("validate %s: got %v, want an error with %q", c.args, err, c.want)
		}
	}
}
