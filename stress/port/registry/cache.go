//go:build linux

package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// cached returns the path of something that is made from what key says, and
// makes it first if it is not in the user's cache folder yet. make makes it at
// the path that it is given, which is beside the final one; several processes
// may do so at the same time, and one that is interrupted leaves nothing.
func cached(name string, key []string, make func(path string) error) (string, error) {
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("port: %w; set XDG_CACHE_HOME or HOME", err)
	}
	folder = filepath.Join(folder, "sharedbarrier", "ports")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("port: %w", err)
	}
	hash := sha256.New()
	for _, part := range key {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	final := filepath.Join(folder, name+"-"+hex.EncodeToString(hash.Sum(nil))[:16])
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintf(os.Stderr, "making %s, once\n", final) // an installation may take a minute
	}
	beside, err := os.MkdirTemp(folder, ".making-")
	if err != nil {
		return "", fmt.Errorf("port: %w", err)
	}
	defer os.RemoveAll(beside)
	made := filepath.Join(beside, name)
	if err := make(made); err != nil {
		return "", err
	}
	if err := os.Rename(made, final); err != nil {
		if _, there := os.Stat(final); there != nil { // nor has another made it meanwhile
			return "", fmt.Errorf("port: %w", err)
		}
	}
	return final, nil
}
