package reexec

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestMain(m *testing.M) {
	Main(m, map[string]func(){
		"print": func() { fmt.Print(os.Args[1:]) },
		"fail":  func() { os.Exit(7) },
		"child": func() { // prints its arguments, and so does its child
			fmt.Print(os.Args[1:])
			if len(os.Args) > 1 {
				child := exec.Command("/proc/self/exe")
				child.Stdout = os.Stdout
				child.Run()
			}
		},
	})
}

func TestUnit_CommandRunsTheProgram(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		out  string
		code int
	}{
		{"print", []string{"a", "-b"}, "[a -b]", 0},
		{"fail", nil, "", 7},
		{"child", []string{"c"}, "[c][]", 0},
		{"unknown", nil, "", 2},
	} {
		cmd := Command(t.Context(), c.name, c.args...)
		out, err := cmd.Output()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); string(out) != c.out || code != c.code {
			t.Errorf("Command(%s, %q): output %q and exit code %d, want %q and %d", c.name, c.args, out, code, c.out, c.code)
		}
	}
}
