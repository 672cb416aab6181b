package clitest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Script makes a shell script that stands in for a tool, with the folder that
// it is in, and returns its path. No child that a parallel test forks has it
// open for writing: such a script cannot be run (ETXTBSY).
func Script(t testing.TB, path, body string) string {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}
