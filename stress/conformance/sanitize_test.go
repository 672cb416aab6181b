//go:build linux

package conformance

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
		return exec.Command("cc", "-std=c11", "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-o", program, source).CombinedOutput()
	}
	empty := filepath.Join(t.TempDir(), "empty.c")
	if err := os.WriteFile(empty, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := compile(empty); err != nil {
		t.Skipf("cc has no sanitizers (%v): %s", err, out)
	}
	if out, err := compile(source); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return "exec:exec " + program
}

// TestC_Sanitized plays the tour and conversations with the C port, and corrupt
// words at every step of it, under the sanitizers of the compiler.
func TestC_Sanitized(t *testing.T) {
	name := sanitized(t, "../c/barrier.c")
	trial := Trial{Port: name}
	for _, c := range Checks {
		if c.Name == "tour n=3" || c.Name == "stress" || c.Name == "mixed with go" || c.Name == "unlinking peer" {
			trial.Without = append(trial.Without, c.Name)
		}
	}
	results, err := Run(t.Context(), trial)
	if err != nil || !Passed(results) {
		t.Errorf("%v, %v", results, err)
	}
	for _, extreme := range []int32{math.MaxInt32, math.MinInt32} {
		for _, giveUp := range []bool{false, true} {
			corrupt(t, name, extreme, giveUp)
		}
	}
}

// corrupt leads a white-box port through a call of 1, or one of 2 that gives up
// at AwaitFlag, and makes the two counters extreme before each step that adds
// to one.
func corrupt(t *testing.T, name string, extreme int32, giveUp bool) {
	t.Helper()
	_, segment, lockPath := porttest.NewBarrier(t)
	k, err := startTalk(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	call := "call 1"
	if giveUp {
		call = "call 2"
	}
	for _, exchange := range [][2]string{{"white", port.OK}, {"open " + segment + " " + lockPath, port.Opened}} {
		if err := k.ask(exchange[0], exchange[1]); err != nil {
			t.Fatal(err)
		}
	}
	reached := map[spec.Step]bool{}
	for request := call; ; request = "go" {
		if err := k.say(request); err != nil {
			t.Fatal(err)
		}
		answer, err := k.hear("an answer")
		if err != nil {
			t.Fatalf("%s, %d in the counters: %v after %v", call, extreme, err, reached)
		}
		label, inCall := strings.CutPrefix(answer, "at ")
		if !inCall {
			break
		}
		step, err := spec.ParseStep(label)
		if err != nil {
			t.Fatal(err)
		}
		reached[step] = true
		switch step {
		case spec.CountEnter, spec.UncountEnter, spec.CountExit:
			bytes, flag := []byte{}, int32(spec.Up)
			if giveUp {
				flag = spec.Down
			}
			for _, word := range []int32{extreme, extreme, flag} {
				bytes = binary.NativeEndian.AppendUint32(bytes, uint32(word))
			}
			if err := os.WriteFile("/dev/shm/"+segment, bytes, 0o600); err != nil {
				t.Fatal(err)
			}
		case spec.AwaitFlag:
			if giveUp {
				if err := k.ask("giveup", port.At(spec.LockWithdraw)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	want := spec.CountExit
	if giveUp {
		want = spec.UncountEnter
	}
	if !reached[spec.CountEnter] || !reached[want] {
		t.Errorf("%s, %d in the counters: it went through %v, want %v and %v", call, extreme, reached, spec.CountEnter, want)
	}
}
