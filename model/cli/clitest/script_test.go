//go:build unix

package clitest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestProc_Script: a script can be run at once, while other tests start
// processes.
func TestProc_Script(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for j := range 50 {
				path := Script(t, filepath.Join(dir, fmt.Sprint(i), fmt.Sprint(j)), "echo $((6 * 7))")
				if out, err := exec.CommandContext(t.Context(), path).CombinedOutput(); err != nil || string(out) != "42\n" {
					t.Fatalf("script %d: got %q, %v, want 42", j, out, err)
				}
			}
		})
	}
}
