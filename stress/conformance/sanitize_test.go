//go:build linux

package conformance

import (
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
)

// sanitized compiles a C program so that undefined behaviour ends it, and
// returns the name of the port that it is.
func sanitized(t *testing.T, source string) string {
	t.Helper()
	porttest.Need(t, "c")
	program := filepath.Join(t.TempDir(), "barrier")
	compile := func(source string) ([]byte, error) {
		cc := exec.Command("cc", "-std=c11", "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-o", program, "-x", "c", "-")
		cc.Stdin = strings.NewReader(source)
		return cc.CombinedOutput()
	}
	if out, err := compile("int main(void) { return 0; }"); err != nil {
		t.Skipf("cc has no sanitizers (%v): %s", err, out)
	}
	if out, err := compile(source); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return "exec:exec " + cli.Quoted(program)
}

// TestProc_SanitizedC makes the checks of the C port that are not stress, and
// has it meet extreme words at every step, under the sanitizers of the
// compiler.
func TestProc_SanitizedC(t *testing.T) {
	if testing.Short() {
		t.Skip("the sanitizers take seconds to compile")
	}
	t.Parallel()
	source, err := port.Sources.ReadFile("c/barrier.c")
	if err != nil {
		t.Fatal(err)
	}
	name := sanitized(t, string(source))
	results, err := Run(t.Context(), options(name, "tour n=3", "schedules n=3", "pace", "idle waits", "many calls", "long waits", "stress", "mixed with go", "unlinking peer"))
	if err != nil || !Passed(results) {
		t.Errorf("%v, %v", results, err)
	}
	for _, extreme := range []int32{math.MaxInt32, math.MinInt32} {
		for _, giveUp := range []bool{false, true} {
			corrupt(t, newSubject(t.Context(), name), extreme, giveUp)
		}
	}
}

// corrupt leads a white-box port through a call of 1, or one of 2 that gives up
// at AwaitFlag, and makes the two counters extreme before each step that adds
// to one.
func corrupt(t *testing.T, s *subject, extreme int32, giveUp bool) {
	t.Helper()
	f := s.fixture()
	defer f.close()
	f.openWhite()
	request, flag, want := "call 1", int32(spec.Up), spec.CountExit
	if giveUp {
		request, flag, want = "call 2", spec.Down, spec.UncountEnter
	}
	reached := map[spec.Step]bool{}
	f.lead(request, func(step spec.Step) {
		reached[step] = true
		switch step {
		case spec.CountEnter, spec.UncountEnter, spec.CountExit:
			f.setAll(spec.Words{Enter: extreme, Exit: extreme, Flag: flag})
		case spec.AwaitFlag:
			if giveUp {
				f.ask("giveup", port.At(spec.LockWithdraw))
			}
		}
	})
	if f.err != nil || !reached[spec.CountEnter] || !reached[want] {
		t.Errorf("%d in the counters, gives up: %v: it went through %v (%v), want %v and %v", extreme, giveUp, reached, f.err, spec.CountEnter, want)
	}
}
