//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/port/porttest"
)

// without are flags that leave out all checks but those with the names.
func without(names ...string) (flags []string) {
	for _, c := range conformance.Checks {
		if !slices.Contains(names, c.Name) {
			flags = append(flags, "--without", c.Name)
		}
	}
	return flags
}

// TestProc_ConformanceEnds: how the command ends, and how to reproduce a
// failure.
func TestProc_ConformanceEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	const bad = `exec:echo "port 1"; read -r request; echo what`
	for _, c := range []struct {
		name string
		args []string
		code int
		want string // on stderr; empty: nothing may be there
	}{
		{"passed", append([]string{"--port", "go"}, without("conversation")...), spec.ExitOK, ""},
		{"nothing asked", append([]string{"--port", "go"}, without()...), spec.ExitUnfinished, ""},
		{"failed", []string{"--port", bad, "--for", "3s", "--stall", "7s", "--seed", "5", "--without", "lock file"}, spec.ExitSafety,
			"reproduce: go run ./stress conformance --port " + cli.Quoted(bad) + " --for 3s --stall 7s --limit 30s --seed 5 --without 'lock file'"},
		{"mutants", append([]string{"--mutants", "--limit", "2s", "--seed", "5"}, without("alone")...), spec.ExitSafety,
			"reproduce: go run ./stress conformance --mutants --for 2s --stall 10s --limit 2s --seed 5 --without conversation --without attaching"},
		{"no mutant asked", append([]string{"--mutants"}, without()...), spec.ExitUnfinished, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains(c.args, "--mutants") {
				porttest.Need(t, "c")
			}
			p := startCommand(t, append([]string{"conformance"}, c.args...)...)
			code, said := p.exitCode(t), p.err.String()
			if code != c.code || !strings.Contains(said, c.want) || c.want == "" && said != "" {
				t.Errorf("conformance %q: exit code %d, stderr %q; want %d and %q\n%s", c.args, code, said, c.code, c.want, p.out.String())
			}
			p.checkNothingLeft(t)
		})
	}
}

// TestProc_ConformanceKeeps: of several ports each is checked, whatever comes of
// the others, and --out keeps a page, the report and badges.
func TestProc_ConformanceKeeps(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	const bad = `exec:echo "port 1"; read -r request; echo what`
	dir := filepath.Join(t.TempDir(), "new/dir")
	args := append([]string{"conformance", "--port", "go", "--port", bad, "--port", "go@construct", "--seed", "5", "--json", "--out", dir}, without("conversation", "tour n=2")...)
	p := startCommand(t, args...)
	if code := p.exitCode(t); code != spec.ExitSafety || strings.Count(p.err.String(), "reproduce: ") != 1 || !strings.Contains(p.err.String(), "--port "+cli.Quoted(bad)+" --for 2s") {
		t.Errorf("exit code %d, stderr %q; want %d and the command of the port that fails", code, p.err.String(), spec.ExitSafety)
	}
	p.checkNothingLeft(t)
	lines, schema := strings.Split(strings.TrimSpace(p.out.String()), "\n"), golden.Schema(t, "conformance/result.schema.json")
	for _, line := range lines {
		if err := schema.Validate(golden.JSON(t, line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if want := 2*len(conformance.Checks) + 1; len(lines) != want {
		t.Errorf("lines: got %d, want %d", len(lines), want)
	}
	if schema.Validate(golden.JSON(t, strings.Replace(lines[0], `"version":3`, `"version":2`, 1))) == nil {
		t.Error("the schema takes version 2")
	}
	file := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	if err := golden.Schema(t, "conformance/matrix/report.schema.json").Validate(golden.JSON(t, file("report.json"))); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"matrix.html": "<title>Conformance of ports – 0 of 3 ports pass</title>", "badge.json": `"message":"0 of 3 ports pass"`, "badge-go.json": `"2 of 28 checks, unfinished"`,
		"badge-exec-echo-port-1-read--r-request-echo-what.json": `"fails conversation"`, "badge-go@construct.json": `"label":"shared barrier: go@construct"`,
	} {
		if text := file(name); !strings.Contains(text, want) {
			t.Errorf("%s: got %.300s, want %s in it", name, text, want)
		}
	}
	wantUsageError(t, "nothing is replaced", args...)
	missing := filepath.Join(t.TempDir(), "missing")
	wantUsageError(t, "there are go,", "conformance", "--port", "cobol", "--out", missing)
	if _, err := os.Stat(missing); err == nil {
		t.Error("a run without a result keeps its directory")
	}
}

// TestProc_BrokenCompiler: a compiler that does not work is one missing tool,
// in one line, for all mutants.
func TestProc_BrokenCompiler(t *testing.T) {
	dir := t.TempDir()
	clitest.Script(t, filepath.Join(dir, "cc"), "echo no toolchain\nexit 1")
	p := newCommand(t, "conformance", "--mutants")
	p.Env = append(p.Env, "PATH="+toolcache.OnPath(t, dir)+":"+os.Getenv("PATH"))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if code, said := p.exitCode(t), p.err.String(); code != spec.ExitUsage || strings.Count(said, "install one that is called cc") != 1 || !strings.Contains(said, "no toolchain") {
		t.Errorf("exit code %d, stderr %q; want %d and one line about cc", code, said, spec.ExitUsage)
	}
}

// TestProc_ConformanceInterrupted has a port that passes the conversation and
// is silent in its first call. The command prints what it has found until the
// interrupt.
func TestProc_ConformanceInterrupted(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "silent")
	port := `exec:o=; echo port 1; while read -r r rest; do case "$o$r $rest" in "open "*) o=1; echo opened;; "1close ") echo closed; exit;; ` +
		`"1call 1") : >'` + silent + `'; sleep ` + uniqueSeconds() + `;; *) echo error no;; esac; done`
	for _, c := range []struct{ flag, want string }{{"--json=false", "conversation passed as specified"}, {"--json", `"check":"conversation","clauses":["PORTS.md, section 1","PORTS.md, section 2","PORTS.md, section 3"],"verdict":"passed"`}} {
		t.Run(c.flag, func(t *testing.T) {
			os.Remove(silent)
			dir := t.TempDir()
			p := startCommand(t, append([]string{"conformance", "--port", port, "--port", "go", c.flag, "--out", dir}, without("conversation", "alone")...)...)
			p.await(t, "the port was silent", func() bool {
				_, err := os.Stat(silent)
				return err == nil
			})
			signal(t, p.Process.Pid, syscall.SIGINT)
			code, printed := p.exitCode(t), strings.Join(strings.Fields(p.out.String()), " ") // whatever the widths of the columns
			if code != spec.ExitInterrupted || !strings.Contains(printed, c.want) {
				t.Errorf("exit code %d, stdout %q, want %d and %q; stderr %q", code, printed, spec.ExitInterrupted, c.want, p.err.String())
			}
			if badge, err := os.ReadFile(filepath.Join(dir, "badge.json")); !strings.Contains(string(badge), `"0 of 2 ports pass","color":"lightgrey"`) {
				t.Errorf("badge: got %q (%v), want an unfinished one", badge, err)
			}
			p.checkNothingLeft(t)
		})
	}
}
