//go:build !race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"measure": measure}) }

// measure runs the command in its arguments and prints the memory that it took,
// in bytes, and its exit code. Until exec a child shares the memory of its
// parent, and that counts: so this small process starts the command, not the
// test. Under the race detector it is not small, hence the build constraint.
func measure() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Run() // its exit code says that it is unfinished
	fmt.Println(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10, cmd.ProcessState.ExitCode())
}

// TestProc_MaxMemory measures what the command takes where states, graphs
// and loops are larger than the limit, or nearly so.
func TestProc_MaxMemory(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "check")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir := t.TempDir() // of the graphs
	for i, c := range []struct {
		args  string
		limit int64 // MB
		code  int
	}{
		{"--procs 2", 16, 0},
		{"--procs 16 --scenario split-lock", 16, 12},
		{"--procs 16 --scenario late-construction --rounds 20", 32, 75},
		{"--procs 16 --scenario withdraw", 16, 75},
		{"--procs 16 --scenario withdraw", 32, 75},
		{"--procs 16 --scenario surplus --rounds 20", 32, 75},
		{"--procs 6 --liveness", 60, 75},
		{"--procs 6 --liveness", 90, 0},
		{"--procs 5 --graph-json graph", 30, 75},
		{"--procs 4 --dot graph", 34, 0},
	} {
		if testing.Short() && i%3 > 0 {
			continue
		}
		args := append([]string{binary, "--max-memory", fmt.Sprintf("%dMB", c.limit)}, strings.Fields(c.args)...)
		cmd := reexec.Command(t.Context(), "measure", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		taken, code, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		bytes, err := strconv.ParseInt(taken, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		const margin = 4 << 20 // that --help gives
		if bytes > c.limit<<20+margin || code != strconv.Itoa(c.code) {
			t.Errorf("check %s --max-memory %dMB: %d MB taken, exit code %s, want no more than 4MB beyond the limit, and %d",
				c.args, c.limit, bytes>>20, code, c.code)
		}
		t.Logf("%s: %d MB of %d", c.args, bytes>>20, c.limit)
	}
}
