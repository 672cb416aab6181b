//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/mutants"
	"sharedbarrier/stress/port/porttest"
)

// TestGolden_Mutants: the table of MUTANTS.md has every mutant, found each time,
// or never if it is harmless. With -update, and if -run names it, it looks for
// each with three seeds, for a minute at most. That takes six minutes.
func TestGolden_Mutants(t *testing.T) {
	if flag.Lookup("update").Value.String() == "true" && strings.Contains(flag.Lookup("test.run").Value.String(), "Mutants") {
		porttest.Need(t, "c")
		c := startCommand(t, "--mutants", "--seeds", "3", "--for", "1m", "--json")
		if code := c.exitCode(t); code != spec.ExitOK {
			t.Fatalf("stress --mutants: exit code %d, want %d\n%s%s", code, spec.ExitOK, c.out.String(), c.err.String())
		}
		var scores []mutants.Score
		for lines := json.NewDecoder(&c.out); lines.More(); {
			var s mutants.Score
			if err := lines.Decode(&s); err != nil {
				t.Fatal(err)
			}
			scores = append(scores, s)
		}
		golden.Part(t, "MUTANTS.md", "table", "mutants", golden.Table(mutantRows(scores)))
	}
	rows := tableOfMutants(t)
	if len(rows) != len(model.Mutants) {
		t.Fatalf("the table has %d mutants, and the model %d; run this test with -update", len(rows), len(model.Mutants))
	}
	for i, m := range model.Mutants {
		r := rows[i]
		want := "3 of 3"
		if m.Why != "" {
			want = "0 of 3, harmless"
		}
		if r.mutant != m.Name || r.found != want {
			t.Errorf("row %d: %q, found %q, want %q, %q; run this test with -update", i+1, r.mutant, r.found, m.Name, want)
		}
		if _, err := spec.ParseProperty(r.how); err != nil && r.how != mutants.Refused && m.Why == "" {
			t.Errorf("%s: found as %q, which is no property, and not %q", r.mutant, r.how, mutants.Refused)
		}
		if cmd := stressCommand(); !slices.Contains(r.args, "--port") || !slices.ContainsFunc(r.args, func(arg string) bool { return strings.HasPrefix(arg, "c@"+m.Name+"=") }) {
			t.Errorf("%s: no port of its command %q has the mistake", r.mutant, r.args)
		} else if err := cmd.ParseFlags(r.args); err != nil {
			t.Errorf("%s: its command: %v", r.mutant, err)
		}
	}
}

// mutantRows are the rows of the table.
func mutantRows(scores []mutants.Score) [][]string {
	rows := [][]string{{"mutant", "mistake", "found", "after", "rounds", "how", "command"}}
	for _, s := range scores {
		how := "–"
		if s.Found > 0 {
			how = "`" + s.How + "`"
		}
		rows = append(rows, []string{"`" + s.Mutant + "`", model.MutantNamed(s.Mutant).Doc, s.FoundText(), s.After(), fmt.Sprint(s.Rounds), how, "`" + s.Command + "`"})
	}
	return rows
}

// A mutantRow is a row of the table in MUTANTS.md.
type mutantRow struct {
	mutant, found, how string
	args               []string // of the command
}

func tableOfMutants(t *testing.T) (rows []mutantRow) {
	t.Helper()
	page, err := os.ReadFile("MUTANTS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- table:mutants -->\n")
	table, _, _ = strings.Cut(table, "<!-- /table:mutants -->")
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if i < 2 {
			continue // the head
		}
		if len(cells) != 7 {
			t.Fatalf("row %q has %d cells, want 7", line, len(cells))
		}
		bare := func(i int) string { return strings.Trim(cells[i], "`") }
		command, is := strings.CutPrefix(bare(6), "go run ./stress ")
		if !is {
			t.Fatalf("row %q: the last cell is no command of stress", line)
		}
		rows = append(rows, mutantRow{bare(0), bare(2), bare(5), strings.Fields(command)})
	}
	return rows
}

// TestHazard_EachMutant runs the command of each row of the table: it must find
// the mistake again. A busy machine takes longer to find it. The harmless ones,
// and the port without a mistake, are run for as long as most need to be found:
// nothing must be found.
func TestHazard_EachMutant(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 34 runs of some seconds")
	}
	porttest.Need(t, "c")
	rows := append(tableOfMutants(t), mutantRow{mutant: "none", args: []string{"--port", "c=2", "--fault", "give-up:10%", "--seed", "3"}})
	some := make(chan bool, 4*runtime.NumCPU()) // a barrier that hangs needs no processor
	var all sync.WaitGroup
	for _, r := range rows {
		m := model.MutantNamed(r.mutant)
		args, wants := append(slices.Clone(r.args), "--for", "10m"), []int{spec.ExitSafety, spec.ExitHang}
		if m == nil || m.Why != "" {
			args, wants = append(slices.Clone(r.args), "--for", "3s", "--stall", "5m"), []int{spec.ExitOK}
		}
		all.Go(func() {
			some <- true
			defer func() { <-some }()
			for code := spec.ExitUnfinished; code == spec.ExitUnfinished && !t.Failed(); { // its processes got no processor
				c := newCommand(t, args...)
				c.Run()
				if code = c.ProcessState.ExitCode(); code != spec.ExitUnfinished && !slices.Contains(wants, code) {
					t.Errorf("mutant %s: exit code %d, want one of %v\nstress %s\n%s%s", r.mutant, code, wants, strings.Join(args, " "), c.out.String(), c.err.String())
				}
			}
		})
	}
	all.Wait()
}

// TestProc_Mutants: the command finds a mistake and no harmless one. Its JSON
// fits the schema.
func TestProc_Mutants(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	porttest.Need(t, "c")
	schema := golden.Schema(t, "mutants/score.schema.json")
	for _, c := range []struct {
		args string
		code int
	}{
		{"never-first --for 5m", spec.ExitOK},
		{"always-first --for 1s", spec.ExitOK},
		{"keep-lock-init --for 1ms", spec.ExitSafety}, // no time to find it
	} {
		cmd := startCommand(t, strings.Fields("--mutants --seeds 1 --json "+c.args)...)
		code := cmd.exitCode(t)
		var s mutants.Score
		err := json.Unmarshal(cmd.out.Bytes(), &s)
		object, _ := jsonschema.UnmarshalJSON(&cmd.out)
		if err == nil {
			err = schema.Validate(object)
		}
		if code != c.code || err != nil || s.Passed() != (code == spec.ExitOK) {
			t.Errorf("stress --mutants %s: exit code %d, want %d; %+v, %v; stderr %s", c.args, code, c.code, s, err, cmd.err.String())
		}
		if again := "reproduce: go run ./stress --mutants --seeds 1 --seed 1 --for"; strings.Contains(cmd.err.String(), again) == s.Passed() {
			t.Errorf("stress --mutants %s: passed: %v; stderr %s", c.args, s.Passed(), cmd.err.String())
		}
	}
}

// TestProc_MutantsInterrupted: the command ends at a signal, and leaves nothing.
func TestProc_MutantsInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	porttest.Need(t, "c")
	c := startCommand(t, "--mutants", "--seeds", "1", "--for", "1h", "always-first")
	c.awaitWorkers(t, 2)
	signal(t, c.Process.Pid, syscall.SIGINT)
	if code := c.exitCode(t); code != spec.ExitInterrupted || strings.Contains(c.err.String(), "reproduce") {
		t.Errorf("stress --mutants: exit code %d, want %d; stderr %s", code, spec.ExitInterrupted, c.err.String())
	}
	c.checkNothingLeft(t)
}

// TestUnit_MutantsUsage: what --mutants refuses.
func TestUnit_MutantsUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--mutants no-such":      `there is no mutant "no-such"`,
		"--mutants --procs 3":    "leave out --procs",
		"--mutants --port c":     "leave out --port",
		"--mutants --seeds 0":    "--seeds is 0",
		"--mutants --for 0s":     "--for is 0s",
		"--mutants --seed 0":     "--seed is 0",
		"--seeds 3 --rounds 1":   "--seeds goes with --mutants",
		"no-drain --rounds 1":    `unknown command "no-drain"`,
		"--mutants --rounds 100": "leave out --rounds",
	} {
		c := startCommand(t, strings.Fields(args)...)
		if code := c.exitCode(t); code != spec.ExitUsage || !strings.Contains(c.err.String(), want) || c.out.Len() > 0 {
			t.Errorf("stress %s: exit code %d, stderr %q, want %d and %q", args, code, c.err.String(), spec.ExitUsage, want)
		}
	}
}
