//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestGolden_LastSteps shows that the page has the last steps of a run in which
// a worker was killed before CountEnter, as a real one has them: what is before
// the rows, and the last row of that worker. With -update they are those of
// this run.
func TestGolden_LastSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	args := []string{"--procs", "3", "--fault", "kill:0@CountEnter", "--seed", "7"}
	p := startCommand(t, append(args, "--for", "1h", "--stall", "5m")...) // however slow the machine is
	if code := p.exitCode(t); code != spec.ExitHang {
		t.Fatalf("stress %q: exit code %d, want %d; %s", args, code, spec.ExitHang, p.err.String())
	}
	_, steps, found := strings.Cut(p.out.String(), "\nLast steps: ")
	if !found {
		t.Fatalf("stress %q says nothing of last steps:\n%s", args, p.out.String())
	}
	want := "```console\n$ go run ./stress " + strings.Join(args, " ") + "\n…\nLast steps: " + steps + "```\n"
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(page), "<!-- output:last-steps -->\n")
	got, _, _ = strings.Cut(got, "<!-- /output:last-steps -->")
	if flag.Lookup("update").Value.String() != "true" && lastSteps(got) == lastSteps(want) {
		want = got
	}
	golden.Part(t, "README.md", "output", "last-steps", want)
	p.checkNothingLeft(t)
}

var (
	stepRow = regexp.MustCompile(`(?m)^[0-9 ]* -[0-9.]+ .*\n`)
	columns = regexp.MustCompile(`(worker \d+ )+`)                            // a worker that was late may have no row among the last ones
	killed  = regexp.MustCompile(`(?m)^[0-9]+ +-[0-9.]+ {2,4}CountEnter \? `) // two spaces after the longest time
)

// lastSteps returns what all such runs say, and whether worker 0 was killed.
func lastSteps(text string) string {
	rest := strings.Join(strings.Fields(stepRow.ReplaceAllString(text, "")), " ")
	return fmt.Sprint(killed.MatchString(text), numbers.ReplaceAllString(columns.ReplaceAllString(rest, "workers "), "0"))
}
