package impl

import (
	"fmt"
	"os"
	"testing"

	"sharedbarrier/spec/reexec"
)

// TestMain has a program for each of the roles of proc_linux_test.go.
func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for name, role := range roles {
		programs[name] = func() {
			if err := role(os.Args[1:]); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
				os.Exit(1)
			}
		}
	}
	reexec.Main(m, programs)
}
