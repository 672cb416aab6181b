package tla_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The project fetches from package registries through their own clients, which
// know the nearest one: no address stands in it, but that of TLC's own releases.
func TestAddresses(t *testing.T) {
	const root, self, allowed = "..", "tla/address_test.go", "https://github.com/tlaplus/tlaplus/releases/download/v1.7.4/tla2tools.jar"
	address := regexp.MustCompile(`https?://[^\s"'<>)]+|\b(pypi\.org|pythonhosted\.org|crates\.io|maven\.org|npmjs\.org|proxy\.golang\.org)\b`)
	var got []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case !entry.Type().IsRegular() || strings.HasSuffix(path, self):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range address.FindAllString(string(text), -1) {
			got = append(got, path+": "+match)
		}
		return err
	})
	if want := []string{"../tla/tlc/jar.go: " + allowed}; err != nil || !slices.Equal(got, want) {
		t.Errorf("addresses in the project: %v, %v; want %v", got, err, want)
	}
}
