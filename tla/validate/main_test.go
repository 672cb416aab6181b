package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/tla/tlc"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"validate": main}) }

// good is the example of TRACES.md.
func good(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../spec/TRACES.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)<!-- example:trace -->\n```json\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("TRACES.md has no example of a trace")
	}
	return string(example[1])
}

// bad has a wrong word in line 7.
func bad(t *testing.T) string {
	return strings.Replace(good(t), `"label":"UnlockInit","number":2,"words":{"enter":0,"exit":2`, `"label":"UnlockInit","number":2,"words":{"enter":0,"exit":1`, 1)
}

// validate runs the command.
func validate(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

// file writes a trace and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it's a.trace")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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
	path := file(t, bad(t))
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
	accepted, _, err := validate(t, good(t), "-", "--json")
	if err != nil || !strings.Contains(accepted, `"verdict":"passed"`) {
		t.Errorf("validate of the example: got %s, %v, want it passed", accepted, err)
	}
	rejected, _, _ := validate(t, bad(t), "-", "--json")
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
		{[]string{file(t, "text\n")}, "no trace (spec/TRACES.md): line 1"},
		{[]string{file(t, good(t)+"{}\n")}, "line 13: label"},
		{[]string{file(t, good(t)), "--memory", "much"}, "--memory much: give a size"},
		{[]string{file(t, strings.Replace(good(t), `"number":5`, `"number":5000000000`, 1))}, "too large for TLC; go run ./model/validate takes it: line 12"},
		{[]string{}, "accepts 1 arg"},
	} {
		_, _, err := validate(t, "", c.args...)
		if err == nil || errors.As(err, new(cli.Exit)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("validate %s: got %v, want an error with %q", c.args, err, c.want)
		}
	}
}
