package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
)

// gremlinsModule is a mutation tester that others keep. It changes operators,
// also those of arithmetic, which the generated mutants leave alone; it removes
// no statement, and no condition of a case. It is no requirement of go.mod,
// since it compiles and runs all tests for each mutant and is thus for one
// package at a time, by hand.
const gremlinsModule = "github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0"

// gremlins has that tester try its mutants.
func (t *trial) gremlins(ctx context.Context, r *result) error {
	report := filepath.Join(t.dir, "gremlins.json")
	cmd := exec.Command("go", "run", gremlinsModule, "unleash", "./"+t.pkg, "--workers", "1", "--timeout-coefficient", "20",
		"--invert-logical", "--invert-loopctrl", "--invert-bitwise", "--invert-assignments", "--output", report)
	cmd.Env = append(os.Environ(), "GOFLAGS=-short", "TMPDIR="+t.dir)
	if out, err := procgroup.CombinedOutput(ctx, cmd); err != nil {
		return fmt.Errorf("gremlins: %w: %s", err, toolcache.LastLine(out))
	}
	text, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	return t.readGremlins(text, r)
}

// readGremlins adds what the report of gremlins has of the package.
func (t *trial) readGremlins(report []byte, r *result) error {
	var all struct {
		Files []struct {
			Name      string `json:"file_name"`
			Mutations []struct {
				Type, Status string
				Line, Column int
			}
		}
	}
	if err := json.Unmarshal(report, &all); err != nil {
		return fmt.Errorf("the report of gremlins: %w", err)
	}
	verdicts := map[string]string{
		"KILLED": killed, "TIMED OUT": timedOut, "LIVED": lived, "NOT COVERED": unreached, "NOT VIABLE": notViable,
	}
	for _, file := range all.Files {
		if filepath.Dir(file.Name) != "." && filepath.ToSlash(filepath.Dir(file.Name)) != t.pkg {
			continue
		}
		for _, m := range file.Mutations {
			verdict, known := verdicts[m.Status]
			if !known {
				return fmt.Errorf("the report of gremlins: status %q of a mutant", m.Status)
			}
			line := fmt.Sprintf("%s/%s:%d", t.pkg, filepath.Base(file.Name), m.Line)
			name := fmt.Sprintf("%s/%s: %s, line %d", t.pkg, filepath.Base(file.Name), strings.ToLower(m.Type), m.Line)
			t.report(outcome{kind: gremlins, name: name, line: line, verdict: verdict}, r)
		}
	}
	return nil
}
