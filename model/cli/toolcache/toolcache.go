// Package toolcache finds the tools that the project runs and keeps those that
// it makes: an installed solver, a fetched jar, a compiled port. They are in
// the folder sharedbarrier of the user's cache folder.
package toolcache

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/workdir"
)

// An Entry is a file or a folder of the cache.
type Entry struct {
	// Name is the name of the entry in the cache.
	Name string
	// Key has all that Make depends on. A hash of Key follows the name, so
	// another Key is another entry. If Key is empty, the name alone identifies
	// the entry.
	Key []string
	// Make makes the entry at the path, which is in a new folder. Get removes
	// this folder afterwards, with all else that is in it.
	Make func(path string) error
	// Check returns an error if the entry at the path does not work; nil: no
	// check.
	Check func(path string) error
	// Say is called with a line of text before Make; nil: Get prints the line
	// on stderr if that is a terminal.
	Say func(line string)
}

// Get returns the path of the entry and makes it first if it is not in the
// cache. Several processes may make it at the same time. The entry appears
// under its path when it is complete and checked; an error of Make or Check
// leaves nothing. After kill -9 the next Get, of any entry, removes what is
// left.
//
// It fails with the errors of Make and Check, with the system's error, or if
// there is no cache folder. If an entry that was in the cache fails its check,
// the error says to remove it.
func (e Entry) Get() (path string, err error) {
	folder, err := Folder()
	if err != nil {
		return "", err
	}
	workdir.Sweep(folder, making)
	path = filepath.Join(folder, e.Name+e.hash())
	if _, err := os.Lstat(path); err == nil {
		if err := cmp.Or(private(path), e.check(path)); err != nil {
			return "", fmt.Errorf("%w: remove %s and try again", err, path)
		}
		return path, nil
	}
	e.say("making " + path + ", once")
	temporary, err := workdir.Make(folder, making)
	if err != nil {
		return "", err
	}
	defer temporary.Remove()
	made := filepath.Join(temporary.Path, e.Name)
	if err := e.Make(made); err != nil {
		return "", err
	}
	if err := e.check(made); err != nil {
		return "", err
	}
	if err := os.Rename(made, path); err != nil {
		if _, there := os.Stat(path); there != nil { // another process has not made it meanwhile
			return "", err
		}
	}
	return path, nil
}

// making begins the name of a folder in which an entry is made.
const making = ".making-"

// KeepTemp returns the environment of a program that Make runs for the entry at
// the path: its temporary files are beside the entry, where Get removes them.
func KeepTemp(environment []string, path string) []string {
	return append(slices.Clip(environment), "TMPDIR="+filepath.Dir(path))
}

func (e Entry) hash() string {
	if len(e.Key) == 0 {
		return ""
	}
	hash := sha256.New()
	for _, part := range e.Key {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return "-" + hex.EncodeToString(hash.Sum(nil))[:16]
}

func (e Entry) check(path string) error {
	if e.Check == nil {
		return nil
	}
	return e.Check(path)
}

func (e Entry) say(line string) {
	switch {
	case e.Say != nil:
		e.Say(line)
	case term.IsTerminal(int(os.Stderr.Fd())):
		fmt.Fprintln(os.Stderr, line)
	}
}

// Folder returns the cache folder of the project, and makes it if it is
// missing. It fails if another user could write what is in it, since the tools
// in it are run.
func Folder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for tools: %w; set XDG_CACHE_HOME or HOME", err)
	}
	folder := filepath.Join(cache, "sharedbarrier")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return folder, private(folder)
}

// Missing is the error about a tool that is missing or does not work. Its text
// says what to install. A package declares one for each of its tools, for
// errors.Is. errors.As finds any of them.
type Missing string

// Error returns the text.
func (m Missing) Error() string { return string(m) }

// Ask runs a program with arguments for which it prints its version or the
// like. It returns the path of the program and what it printed. Ask blocks
// until the program has ended, and kills it when ctx ends.
//
// If the program is not on PATH or does not work, Ask fails with missing and
// the last line that the program printed. It also fails with the error of ctx.
func Ask(ctx context.Context, missing Missing, program string, args ...string) (path, said string, err error) {
	if path, err = exec.LookPath(program); err != nil {
		return "", "", fmt.Errorf("%w (%w)", missing, err)
	}
	out, err := procgroup.CombinedOutput(ctx, exec.Command(path, args...))
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil:
		return "", "", fmt.Errorf("%w (%s does not work: %w: %s)", missing, path, err, LastLine(out))
	}
	return path, string(out), nil
}

// LastLine returns the last line of a program's output.
func LastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return strings.TrimSpace(string(out[bytes.LastIndexByte(out, '\n')+1:]))
}

// Test is what Require needs of a testing.TB.
type Test interface {
	Helper()
	Skip(...any)
	Fatal(...any)
	Cleanup(func())
}

// Require ends a test if err is not nil. It skips the test if err is Missing,
// unless SHAREDBARRIER_STRICT is 1 in the environment. Otherwise it fails the
// test.
func Require(t Test, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.As(err, new(Missing)) && os.Getenv("SHAREDBARRIER_STRICT") != "1":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// OnPath returns a name of the folder that can stand in PATH until the test
// ends. It is another name if the folder's own has a separator of paths in it,
// as it may have in a test whose TMPDIR has. That works on Linux only.
func OnPath(t Test, folder string) string {
	t.Helper()
	if !strings.ContainsRune(folder, os.PathListSeparator) {
		return folder
	}
	file, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd())
}
