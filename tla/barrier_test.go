package tla_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/tla"
)

// What Barrier.tla claims of itself, that nobody leaves early, is so: for three
// and four processes, whose rounds are relative and so without end, and whether
// or not they may give up. And it is so for the reasons given there: without
// either of the two guards it is not. Of n processes each has yet to begin the
// round, is inside, or has left it, and never have all left: 3ⁿ - 1 states.
func TestBarrier(t *testing.T) {
	text, err := fs.ReadFile(tla.Files, "Barrier.tla")
	if err != nil {
		t.Fatal(err)
	}
	without := func(guard string) string {
		if strings.Count(string(text), guard) != 1 {
			t.Fatalf("Barrier.tla does not have %q once", guard)
		}
		return strings.Replace(string(text), guard, "", 1)
	}
	for name, test := range map[string]struct {
		barrier  string
		procs    int
		quitting bool
		says     string
	}{
		"three":                       {string(text), 3, false, "26 distinct states found"},
		"three, quitting":             {string(text), 3, true, "26 distinct states found"},
		"four, quitting":              {string(text), 4, true, "80 distinct states found"},
		"leaving before all are here": {without(` /\ \A q \in Procs : Begun(q) >= Begun(p)`), 3, false, "Invariant NoEarlyExit is violated"},
		"giving up a complete round":  {without(`             /\ \A q \in Procs : completed[q] <= completed[p]` + "\n"), 3, true, "Invariant NoEarlyExit is violated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if output := exploreBarrier(t, test.barrier, test.procs, test.quitting); !strings.Contains(output, test.says) {
				t.Errorf("TLC on Barrier with %d processes, quitting %v: want %q in\n%s", test.procs, test.quitting, test.says, output)
			}
		})
	}
}

// exploreBarrier asks TLC for NoEarlyExit of Barrier alone, and returns what it prints.
func exploreBarrier(t *testing.T, barrier string, procs int, quitting bool) string {
	t.Helper()
	tools, dir := findTools(t), t.TempDir()
	config := fmt.Sprintf("CONSTANTS N = %d Quitting = %s Procs <- All Rebase <- Relative\nSPECIFICATION Spec\nINVARIANT NoEarlyExit\n",
		procs, strings.ToUpper(fmt.Sprint(quitting)))
	for name, text := range map[string]string{
		"Barrier.tla": barrier,
		"Alone.cfg":   config,
		"Alone.tla": `---- MODULE Alone ----
EXTENDS Barrier
CONSTANT N
All == 1 .. N
Relative(r) == LET least == CHOOSE m \in {r[p] : p \in All} : \A p \in All : m <= r[p]
               IN  [p \in All |-> r[p] - least]
====
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), tools.Java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir="+dir,
		"-cp", tools.Jar, "tlc2.TLC", "-metadir", dir, "-workers", "1", "Alone")
	cmd.Dir = dir
	output, _ := cmd.CombinedOutput() // a violation has an exit code too
	return string(output)
}
