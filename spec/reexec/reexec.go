// Package reexec lets a test run its own executable as another program. It is
// for tests that need several processes, or one that they can kill.
package reexec

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// variable names, in the environment, the program that a process is.
const variable = "SHAREDBARRIER_REEXEC"

// Main is the body of a TestMain. It runs the tests, or, in a process that
// Command describes, the program with that name. It exits with the code of the
// tests, and with 0 when the program returns. Main never returns.
func Main(m *testing.M, programs map[string]func()) {
	name, started := os.LookupEnv(variable)
	if !started {
		os.Exit(m.Run())
	}
	program, known := programs[name]
	if !known {
		fmt.Fprintf(os.Stderr, "%s=%s: this test has no such program\n", variable, name)
		os.Exit(2)
	}
	program()
	os.Exit(0)
}

// Command describes a process that runs the test's own executable as the
// program with the name. The program finds args in os.Args[1:]. A process that
// the program starts from its own executable is the same program, since it
// inherits the environment. The end of ctx kills the process.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		panic(err) // on Linux: without /proc no test of processes can run
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), variable+"="+name)
	return cmd
}

// Start starts cmd and returns what it writes on its standard output. A failure
// ends the test.
func Start(t testing.TB, cmd *exec.Cmd) io.ReadCloser {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return out
}
