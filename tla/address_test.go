package tla_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAddresses shows that no file names the address of a package registry:
// their clients know the nearest mirror.
func TestAddresses(t *testing.T) {
	const root, self = "..", "tla/address_test.go"
	address := regexp.MustCompile(`\b(pypi\.org|pythonhosted\.org|crates\.io|maven\.org|npmjs\.org|proxy\.golang\.org|deb\.debian\.org)\b`)
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
	if err != nil || len(got) > 0 {
		t.Errorf("addresses of package registries: %v, %v; want none", got, err)
	}
}
