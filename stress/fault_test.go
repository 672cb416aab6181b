//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/port/porttest"
)

// TestProc_PlanIsTheSame: --plan prints what the faults of a seed do, the same
// bytes each time, and starts nothing. Another seed does something else.
func TestProc_PlanIsTheSame(t *testing.T) {
	plan := func(args ...string) string {
		t.Helper()
		p := newCommand(t, append([]string{"--plan", "--fault", "kill:one@CountEnter", "--fault", "stop:any:50ms"}, args...)...)
		p.run(t)
		if code := p.ProcessState.ExitCode(); code != spec.ExitOK || p.err.Len() > 0 {
			t.Errorf("--plan %v: exit code %d, stderr %q; want 0, nothing", args, code, p.err.String())
		}
		p.checkNothingLeft(t)
		return p.out.String()
	}
	first, again, other := plan("--seed", "7"), plan("--seed", "7"), plan("--seed", "8")
	if first != again || first == other {
		t.Errorf("the plans of seeds 7, 7 and 8 are\n%s%s%s; want the first two the same, and the third another", first, again, other)
	}
	if !strings.HasPrefix(first, "seed 7, 4 workers\nkill:one@CountEnter: ") || !strings.Contains(first, "before CountEnter\n") {
		t.Errorf("the plan is\n%s", first)
	}
}

// TestProc_BadFaults: one line says what is wrong with a fault, and what is
// possible.
func TestProc_BadFaults(t *testing.T) {
	for args, want := range map[string]string{
		"--fault kil":                                `--fault "kil": no kind is named "kil"; the kinds are kill, stop,`,
		"--fault kill:9":                             `--fault "kill:9": there is no worker 9; the workers are 0 to 3`,
		"--fault cpus:100000":                        "this process may use",
		"--port go=2 --fault kill:2":                 "the workers are 0 to 1",
		"--plan":                                     "give --fault",
		"--procs 1 --fault parties:grow":             "give 2 processes or more",
		"--fault parties:one-less --fault surplus:1": "only one of parties and surplus",
	} {
		wantUsageError(t, want, strings.Fields(args)...)
	}
}

// TestProc_FaultAtAMix: a fault hits a mix of package impl as a port and of the
// published original. The report has what happened, and the command that repeats
// it.
func TestProc_FaultAtAMix(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	porttest.Need(t, "python")
	p := newCommand(t, "--port", "go=1", "--port", "python=2", "--fault", "kill:any", "--seed", "5", "--for", "1h", "--json")
	p.run(t)
	rep := p.report(t)
	if code := p.ProcessState.ExitCode(); code != spec.ExitHang || rep.Verdict != spec.Hang || rep.Faults[0].Happened != 1 || rep.Hang.Missing == "" {
		t.Errorf("exit code %d, %v, faults %+v, %v; want a hang, as one worker was killed, and which is missing", code, rep.Verdict, rep.Faults, rep.Hang)
	}
	if want := "--seed 5 --fault kill:any\n"; !strings.HasSuffix(p.err.String(), want) {
		t.Errorf("stderr is %q, want that it ends with %q", p.err.String(), want)
	}
	p.checkNothingLeft(t)
}

// TestGolden_Faults: the table of the faults and the plan in README.md are those
// of the command.
func TestGolden_Faults(t *testing.T) {
	var table strings.Builder
	table.WriteString("| fault | what happens |\n|---|---|\n")
	for _, k := range fault.AllKinds() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", strings.ReplaceAll(k.Form(), "|", "\\|"), k.Doc())
	}
	golden.Part(t, "README.md", "table", "faults", table.String())
	args := []string{"--fault", "kill:one@CountEnter", "--fault", "stop:any:50ms", "--seed", "7", "--plan"}
	p := newCommand(t, args...)
	p.run(t)
	golden.Part(t, "README.md", "output", "plan", "```console\n$ go run ./stress "+strings.Join(args, " ")+"\n"+p.out.String()+"```\n")
}
