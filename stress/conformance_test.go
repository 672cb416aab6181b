//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
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

// TestProc_ConformanceEnds: how the command ends, and how to reproduce a failure.
func TestProc_ConformanceEnds(t *testing.T) {
	const bad = `exec:echo "port 1"; read -r request; echo what`
	for _, c := range []struct {
		name  string
		args  []string
		code  int
		again string // on stderr, where nothing else may be
	}{
		{"passed", append([]string{"--port", "go"}, without("conversation")...), spec.ExitOK, ""},
		{"nothing asked", append([]string{"--port", "go"}, without()...), spec.ExitUnfinished, ""},
		{"failed", []string{"--port", bad, "--for", "3s", "--stall", "7s", "--seed", "5", "--without", "lock file"}, spec.ExitSafety,
			"reproduce: go run ./stress conformance --port " + registry.Quoted(bad) + " --for 3s --stall 7s --limit 30s --seed 5 --without 'lock file'"},
		{"mutants", append([]string{"--mutants", "--seed", "5"}, without("attaching")...), spec.ExitSafety,
			"reproduce: go run ./stress conformance --mutants --for 2s --stall 10s --limit 30s --seed 5 --without conversation --without 'tour n=2'"},
		{"no mutant asked", append([]string{"--mutants"}, without()...), spec.ExitUnfinished, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if slices.Contains(c.args, "--mutants") {
				porttest.Need(t, "c")
			}
			p := newCommand(t, append([]string{"conformance"}, c.args...)...)
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			code, said := p.exitCode(t), p.err.String()
			if code != c.code || !strings.Contains(said, c.again) || c.again == "" && said != "" {
				t.Errorf("conformance %q: exit code %d, stderr %q; want %d and %q\n%s", c.args, code, said, c.code, c.again, p.out.String())
			}
			p.checkNothingLeft(t)
		})
	}
}

// TestProc_ConformanceInterrupted has a port that passes the conversation and is
// silent from then on. The command prints what it has found until the interrupt.
func TestProc_ConformanceInterrupted(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "silent")
	port := `exec:o=; echo port 1 white; while read -r r rest; do case $o$r in open) o=1; echo opened;; 1close) echo closed; exit;; ` +
		`white) : >'` + silent + `'; sleep ` + uniqueSeconds() + `;; *) echo error no;; esac; done`
	for _, c := range []struct{ flag, want string }{{"--json=false", "conversation  passed"}, {"--json", `"check":"conversation","verdict":"passed"`}} {
		t.Run(c.flag, func(t *testing.T) {
			os.Remove(silent)
			p := newCommand(t, append([]string{"conformance", "--port", port, c.flag}, without("conversation", "tour n=2")...)...)
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			for {
				if _, err := os.Stat(silent); !errors.Is(err, fs.ErrNotExist) || t.Context().Err() != nil {
					break
				}
				runtime.Gosched()
			}
			if err := p.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if code := p.exitCode(t); code != spec.ExitInterrupted || !strings.Contains(p.out.String(), c.want) {
				t.Errorf("exit code %d, stdout %q, want %d and %q; stderr %q", code, p.out.String(), spec.ExitInterrupted, c.want, p.err.String())
			}
			p.checkNothingLeft(t)
		})
	}
}
