package tla_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Barrier.tla satisfies its NoEarlyExit with three processes that may not give
// up and with three and four that may. Without either of its two guards it does
// not. Of n processes each has yet to begin the round, is inside, or has left
// it, and never have all left: 3ⁿ - 1 states. So the three barriers have 26 +
// 26 + 80.
func TestUnit_Barrier(t *testing.T) {
	full(t)
	barrier := readFile(t, "Barrier.tla")
	for name, test := range map[string]struct{ guard, want string }{
		"as it is":                    {"", "132 distinct states found"},
		"leaving before all are here": {` /\ \A q \in Procs : Begun(q) >= Begun(p)`, "Invariant NoEarly is violated"},
		"giving up a complete round":  {`             /\ \A q \in Procs : completed[q] <= completed[p]` + "\n", "Invariant NoEarly is violated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.guard != "" && strings.Count(barrier, test.guard) != 1 {
				t.Fatalf("Barrier.tla does not have %q once", test.guard)
			}
			output := runTLC(t, "Barriers", map[string]string{
				"Barrier.tla":  strings.Replace(barrier, test.guard, "", 1),
				"Barriers.tla": barriers,
				"Barriers.cfg": "SPECIFICATION Spec\nINVARIANT NoEarly\n",
			})
			if !strings.Contains(output, test.want) {
				t.Errorf("TLC on Barrier without %q: want %q in\n%s", test.guard, test.want, output)
			}
		})
	}
}

// barriers is a module of three barriers, of which the first state chooses one.
const barriers = `---- MODULE Barriers ----
EXTENDS Integers
VARIABLES which, inside, completed
Relative(r) == LET least == CHOOSE m \in {r[p] : p \in DOMAIN r} : \A p \in DOMAIN r : m <= r[p]
               IN  [p \in DOMAIN r |-> r[p] - least]
A == INSTANCE Barrier WITH Procs <- 1 .. 3, Quitting <- FALSE, Rebase <- Relative
B == INSTANCE Barrier WITH Procs <- 1 .. 3, Quitting <- TRUE, Rebase <- Relative
C == INSTANCE Barrier WITH Procs <- 1 .. 4, Quitting <- TRUE, Rebase <- Relative
Init == (which = 1 /\ A!Init) \/ (which = 2 /\ B!Init) \/ (which = 3 /\ C!Init)
Next == which' = which /\ ((which = 1 /\ A!Next) \/ (which = 2 /\ B!Next) \/ (which = 3 /\ C!Next))
Spec == Init /\ [][Next]_<<which, inside, completed>>
NoEarly == CASE which = 1 -> A!NoEarlyExit [] which = 2 -> B!NoEarlyExit [] which = 3 -> C!NoEarlyExit
====
`

// SharedBarrier.tla stands alone: without MCSharedBarrier it is the scenario
// reuse.
func TestUnit_SharedBarrierAlone(t *testing.T) {
	full(t)
	t.Parallel()
	want := fmt.Sprintf("%d distinct states found", question(t, "reuse-n2-safety").Distinct)
	output := runTLC(t, "SharedBarrier", map[string]string{
		"Barrier.tla":       readFile(t, "Barrier.tla"),
		"SharedBarrier.tla": readFile(t, "SharedBarrier.tla"),
		"SharedBarrier.cfg": "CONSTANTS N = 2 Rounds = 0\nSPECIFICATION LiveSpec\nCHECK_DEADLOCK FALSE\n" +
			"INVARIANTS TypeOK NoEarlyExit WordsInRange LockExclusive Quiescent NoDeadlock\nPROPERTIES NoHang RefinesBarrier\n",
	})
	if !strings.Contains(output, "No error has been found") || !strings.Contains(output, want) {
		t.Errorf("TLC on SharedBarrier alone: want no error and %q in\n%s", want, output)
	}
}

// runTLC has TLC check the module, and returns what it prints.
func runTLC(t *testing.T, module string, files map[string]string, args ...string) string {
	t.Helper()
	tools, dir := findTools(t), t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args = append([]string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir=" + dir,
		"-cp", tools.Jar, "tlc2.TLC", "-metadir", dir, "-workers", "1"}, append(args, module)...)
	cmd := exec.CommandContext(t.Context(), tools.Java, args...)
	cmd.Dir = dir
	output, _ := cmd.CombinedOutput() // a violation has an exit code too
	return string(output)
}
