package tla_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The project fetches packages through the registries' own clients, which know
// the nearest mirror: no address of a registry stands in it.
func TestUnit_NoRegistryAddress(t *testing.T) {
	registry := regexp.MustCompile(`\b(repo1?\.maven\.|pypi\.org|pythonhosted\.org|crates\.io|proxy\.golang\.org|registry\.npm|deb\.debian\.org)`)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // a tool has removed its temporary file
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if found := registry.Find(text); found != nil {
			t.Errorf("%s has the address %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
