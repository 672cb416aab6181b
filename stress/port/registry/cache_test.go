//go:build linux

package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/model/cli/toolcache"
)

// TestHazard_BrokenCache: a program or a script of the cache that was cut or
// changed is not run. The error says what to remove.
func TestHazard_BrokenCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	program := func() (string, error) {
		cmd, err := cCommand(t.Context(), "")
		if err != nil {
			return "", err
		}
		return cmd.Path, nil
	}
	script := func() (string, error) {
		folder, err := pythonScripts()
		return filepath.Join(folder, "python", "port.py"), err
	}
	for _, get := range []func() (string, error){program, script} {
		file, err := get()
		toolcache.Require(t, err)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{len(whole) - 1, 100, 0} {
			if err := os.WriteFile(file, whole[:size], 0o755); err != nil {
				t.Fatal(err)
			}
			entry := strings.TrimSuffix(file, "/python/port.py")
			if got, err := get(); err == nil || !strings.Contains(err.Error(), "remove "+entry) {
				t.Errorf("%s, cut from %d to %d bytes: got %q, %v; want an error that says to remove it", file, len(whole), size, got, err)
			}
		}
	}
}
