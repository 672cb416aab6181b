//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/bench"
)

// quick are the flags of a measurement that takes no time.
var quick = []string{"--parties", "2", "--processors", "1", "--beside-busy=false", "--for", "1ms", "--repeat", "1", "--stall", "5m"}

// TestProc_Bench: the table, the line of JSON and the picture of a measurement
// without the tools of the peers. What is missing is said in each, and is no
// error unless all is.
func TestProc_Bench(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "bench.svg")
	run := func(args ...string) *command {
		p := newCommand(t, append(append([]string{"bench"}, quick...), args...)...)
		p.Env = append(p.Env, "PATH=/nonexistent")
		p.run(t)
		p.checkNothingLeft(t)
		return p
	}
	p := run("--svg", svg)
	if p.ProcessState.ExitCode() != spec.ExitOK || p.err.Len() > 0 {
		t.Fatalf("exit code %d: %s", p.ProcessState.ExitCode(), p.err.String())
	}
	for _, want := range []string{"On 1 processor:\n", "\n2        group", "absent: no C compiler for glibc; install one", "absent: no Open MPI; install it", "absent: no Python 3.10 or newer"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, p.out.String())
		}
	}
	if picture, err := os.ReadFile(svg); err != nil || !strings.Contains(string(picture), ">plain<") {
		t.Errorf("the picture: %v:\n%s", err, picture)
	}
	p = run("--json")
	var doc bench.Document
	err := json.Unmarshal(p.out.Bytes(), &doc)
	if err == nil {
		err = golden.Schema(t, "bench/document.schema.json").Validate(golden.JSON(t, p.out.String()))
	}
	if err != nil || strings.Count(p.out.String(), "\n") != 1 || len(doc.Points) != 2 || doc.Points[0].Samples[0].Rounds < 1 {
		t.Errorf("the JSON: %v:\n%s", err, p.out.String())
	}
	p = run("--contender", "glibc")
	if code := p.ProcessState.ExitCode(); code != spec.ExitUsage || !strings.Contains(p.err.String(), "no C compiler") || strings.Count(p.err.String(), "\n") != 1 {
		t.Errorf("without any tool: exit code %d, %q; want %d, and what to install", code, p.err.String(), spec.ExitUsage)
	}
}

// TestProc_BenchInterrupted interrupts a run after its first measurement. It
// keeps what it has measured, and draws no picture of a part.
func TestProc_BenchInterrupted(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "bench.svg")
	p := startCommand(t, "bench", "--contender", "plain", "--parties", "2", "--for", "1ms", "--repeat", "1000000", "--json", "--svg", svg)
	seen := map[string]bool{}
	p.await(t, "its second measurement", func() bool {
		for _, file := range p.files(t) {
			if strings.HasSuffix(file, ".mark") {
				seen[file] = true
			}
		}
		return len(seen) > 1
	})
	signal(t, p.Process.Pid, syscall.SIGINT)
	code := p.exitCode(t)
	var doc bench.Document
	if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil || code != spec.ExitInterrupted || p.err.Len() > 0 {
		t.Fatalf("exit code %d, stderr %q, %v; want %d and one document\n%s", code, p.err.String(), err, spec.ExitInterrupted, p.out.String())
	}
	if !doc.Interrupted || len(doc.Points) != 1 || len(doc.Points[0].Samples) == 0 {
		t.Errorf("interrupted %v, points %+v; want true, and one with samples", doc.Interrupted, doc.Points)
	}
	if _, err := os.Stat(svg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a picture: %v", err)
	}
	p.checkNothingLeft(t)
}

func TestProc_BenchRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--parties 1":               "--parties is 1; give 2 to 1024",
		"--parties 2,2":             "--parties has 2 twice",
		"--processors 0":            "--processors is 0; give 1 to",
		"--contender plan":          `--contender "plan": there is no such contender; there are group, plain, glibc`,
		"--contender glibc,glibc":   "--contender has glibc twice",
		"--contender=":              "--contender is empty",
		"--for 0":                   "--for is 0s; give more than 0",
		"--stall 0":                 "--stall is 0s; give more than 0",
		"--repeat 0":                "--repeat is 0; give 1 or more",
		"--svg /nonexistent/x.svg ": "--svg: ",
	} {
		wantUsageError(t, want, append([]string{"bench"}, strings.Fields(args)...)...)
	}
}

// TestUnit_BenchExitCodes: how the command ends by the error of the run.
func TestUnit_BenchExitCodes(t *testing.T) {
	for err, want := range map[error]error{
		bench.ErrEarly:   cli.Exit(spec.ExitSafety),
		bench.ErrStalled: cli.Exit(spec.ExitUnfinished),
		bench.ErrBroken:  bench.ErrBroken,
	} {
		cmd, said := &cobra.Command{}, strings.Builder{}
		cmd.SetContext(t.Context())
		cmd.SetErr(&said)
		got := benchFlags{}.end(cmd, fmt.Errorf("contender x: %w", err))
		if !errors.Is(got, want) || errors.As(got, new(cli.Exit)) != strings.Contains(said.String(), err.Error()) {
			t.Errorf("%v: the command ends with %v and says %q, want %v", err, got, said.String(), want)
		}
	}
}
