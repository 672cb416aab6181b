package toolcache

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sharedbarrier/model/cli/clitest"
)

// empty gives the test a cache folder of its own and returns a function that
// lists the entries in it.
func empty(t *testing.T) (entries func() []string) {
	t.Helper()
	for _, variable := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(variable, t.TempDir())
	}
	folder, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	return func() (names []string) {
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			names = append(names, file.Name())
		}
		return names
	}
}

func TestUnit_GetMakesOnce(t *testing.T) {
	entries := empty(t)
	var said atomic.Int32
	get := func(key ...string) string {
		path, err := Entry{
			Name: "tool", Key: key,
			Make: func(path string) error { return os.WriteFile(path, []byte(key[0]), 0o644) },
			Say:  func(string) { said.Add(1) },
		}.Get()
		if err != nil {
			t.Errorf("Get of key %q: got %v, want nil", key, err)
		}
		return path
	}
	var group sync.WaitGroup
	for range 8 { // at once: one of the complete ones stays
		group.Go(func() { get("a", "bc") })
	}
	group.Wait()
	first := said.Load()
	path, other := get("a", "bc"), get("ab", "c")
	if text, err := os.ReadFile(path); string(text) != "a" || err != nil {
		t.Errorf("entry of key a: got %q, %v", text, err)
	}
	if got := entries(); path == other || len(got) != 2 || said.Load() != first+1 {
		t.Errorf("two keys: got entries %q and %d lines, want 2 and one more than %d", got, said.Load(), first)
	}
}

func TestUnit_GetLeavesNothingAfterAnError(t *testing.T) {
	entries := empty(t)
	want := errors.New("interrupted")
	e := Entry{Name: "tool", Make: func(path string) error { return errors.Join(os.Mkdir(path, 0o755), want) }}
	if _, err := e.Get(); !errors.Is(err, want) || len(entries()) > 0 {
		t.Errorf("Get whose Make fails: got %v and entries %q, want %v and none", err, entries(), want)
	}
	e.Make = func(path string) error { return os.Mkdir(path, 0o755) }
	broken := e
	broken.Check = func(string) error { return want }
	if _, err := broken.Get(); !errors.Is(err, want) || len(entries()) > 0 {
		t.Errorf("Get whose Check fails: got %v and entries %q, want %v and none", err, entries(), want)
	}
	if runtime.GOOS == "linux" { // what a run has left that was killed
		folder, err := Folder()
		if err == nil {
			err = os.Mkdir(filepath.Join(folder, making+"0123456789abcdef"), 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path, err := e.Get()
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(); len(got) != 1 {
		t.Errorf("entries: %q, want one", got)
	}
	if _, err := broken.Get(); !errors.Is(err, want) || !strings.Contains(err.Error(), "remove "+path) {
		t.Errorf("Get of a broken entry: got %v, want %v and what to remove", err, want)
	}
}

// TestUnit_WhatOthersCanWriteIsNotRun makes the folder and then an entry
// writable for others, and the entry a link.
func TestUnit_WhatOthersCanWriteIsNotRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode on Windows")
	}
	empty(t)
	e := Entry{Name: "tool", Make: func(path string) error { return os.Mkdir(path, 0o755) }}
	path, err := e.Get()
	if err != nil {
		t.Fatal(err)
	}
	for _, writable := range []string{path, filepath.Dir(path)} {
		if err := os.Chmod(writable, 0o757); err != nil {
			t.Fatal(err)
		}
		if got, err := e.Get(); err == nil || !strings.Contains(err.Error(), "other users can write "+writable) {
			t.Errorf("Get when others can write %s: got %q, %v", writable, got, err)
		}
		os.Chmod(writable, 0o755)
	}
	if err := errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path)); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Get(); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("Get of a link: got %q, %v, want an error", got, err)
	}
}

// TestUnit_PipSeesNoSettings shows which variables Python and pip get.
func TestUnit_PipSeesNoSettings(t *testing.T) {
	got := withoutPython([]string{"PATH=p", "PIP_TARGET=t", "PIP_USER=1", "PIP_CERT=c", "PYTHONPATH=m", "PIP_INDEX_URL=i", "PIPX=x"})
	if want := []string{"PATH=p", "PIP_CERT=c", "PIP_INDEX_URL=i", "PIPX=x"}; !slices.Equal(got, want) {
		t.Errorf("withoutPython: got %q, want %q", got, want)
	}
}

// TestProc_PipSettings installs a package with a real pip, whose settings of
// the environment and of a file would put it elsewhere, or nowhere. What says
// where the packages are counts.
func TestProc_PipSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("a virtual environment takes seconds")
	}
	if _, _, err := Ask(t.Context(), NoPython, "python3", "-I", "-c", "import venv, ensurepip"); err != nil {
		Require(t, err)
	}
	empty(t)
	home, elsewhere := t.TempDir(), t.TempDir()
	wheels := filepath.Join(home, "wheels")
	hash := wheel(t, wheels)
	links := url.URL{Scheme: "file", Path: wheels} // pip splits a path at its spaces
	poison := fmt.Sprintf("[global]\nno-index = true\nfind-links = %s\nrequire-virtualenv = false\n"+
		"[install]\ntarget = %s\nuser = true\nprefix = %[2]s\nroot = %[2]s\ndry-run = true\nno-binary = :all:\nconstraint = /nowhere\n", &links, elsewhere)
	for _, file := range []string{".config/pip/pip.conf", "pip.conf"} {
		path := filepath.Join(home, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(poison), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "sitecustomize.py"), []byte("import os; os._exit(9)"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range os.Environ() {
		if name, _, _ := strings.Cut(name, "="); strings.HasPrefix(name, "PIP_") {
			t.Setenv(name, "") // restores it
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, ".config"), "PIP_CONFIG_FILE": filepath.Join(home, "pip.conf"),
		"PIP_TARGET": elsewhere, "PYTHONHOME": elsewhere, "PYTHONPATH": elsewhere, "PYTHONSTARTUP": elsewhere, "PYTHONUSERBASE": elsewhere,
	} {
		t.Setenv(name, value)
	}
	e := Entry{
		Name:  "environment",
		Make:  func(path string) error { return InstallPython(t.Context(), path, "sample==1.0 --hash=sha256:"+hash) },
		Check: CheckPython,
	}
	path, err := e.Get()
	if err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Glob(filepath.Join(path, "lib", "python*", "site-packages", "sample.py"))
	if err != nil || len(module) != 1 {
		t.Fatalf("the package is at %q, %v; want one file in the environment", module, err)
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) != 1 {
		t.Errorf("pip has written elsewhere: %v, %v", left, err)
	}
	if again, err := e.Get(); again != path || err != nil {
		t.Errorf("Get again: got %q, %v, want %q", again, err, path)
	}
	for _, spoil := range []func() error{
		func() error { return os.Truncate(module[0], 1) },
		func() error { return os.Remove(module[0]) },
		func() error { return os.Remove(filepath.Join(path, contents)) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if got, err := e.Get(); err == nil || !strings.Contains(err.Error(), "remove "+path) {
			t.Errorf("Get of a spoilt environment: got %q, %v, want an error that says to remove %s", got, err, path)
		}
	}
}

// wheel makes the folder with a wheel of one module, sample 1.0, and returns
// the hash of the wheel.
func wheel(t *testing.T, folder string) (hash string) {
	t.Helper()
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	const info = "sample-1.0.dist-info/"
	for name, text := range map[string]string{
		"sample.py":       "one = 1\n",
		info + "METADATA": "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":   "sample.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n",
	} {
		if w, err := archive.Create(name); err != nil {
			t.Fatal(err)
		} else if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), os.WriteFile(filepath.Join(folder, "sample-1.0-py3-none-any.whl"), file.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(file.Bytes()))
}

// TestUnit_PipEnvironment shows what becomes of the settings that pip has read
// from files.
func TestUnit_PipEnvironment(t *testing.T) {
	got := pipEnvironment([]string{"A=b", "PIP_CERT=c", "PIP_CONFIG_FILE=f"}, `:env:.cert='c'
global.cert='/etc/other'
global.find-links='/a b\n/it\'s "ü"'
global.index-url='https://one'
global.target='/elsewhere'
install.index-url="https://it's"
install.user='true'
global.timeout=
nonsense
list.proxy='p'
`)
	want := []string{"A=b", "PIP_CERT=c", "PIP_CONFIG_FILE=" + os.DevNull, "PIP_INDEX_URL=https://it's", "PIP_FIND_LINKS=/a b\n/it's \"ü\""}
	if !slices.Equal(got, want) {
		t.Errorf("pipEnvironment: got %q, want %q", got, want)
	}
}

// TestUnit_UnreachedIndex: packages that pip cannot fetch are a missing tool,
// and packages with other hashes are not.
func TestUnit_UnreachedIndex(t *testing.T) {
	for said, want := range map[string]bool{
		"ERROR: No matching distribution found for z3-solver==4.16.0.0": true,
		"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES":                 false,
	} {
		tools := OnPath(t, t.TempDir())
		clitest.Script(t, filepath.Join(tools, "python3"), "[ $# = 4 ] && mkdir -p \"$4/bin\" && exec cp \"$0\" \"$4/bin/python3\"\necho '"+said+"' >&2\nexit 1")
		t.Setenv("PATH", tools+string(os.PathListSeparator)+os.Getenv("PATH"))
		err := InstallPython(t.Context(), filepath.Join(t.TempDir(), "made"), "")
		if err == nil || !strings.Contains(err.Error(), said) || errors.Is(err, NoIndex) != want {
			t.Errorf("InstallPython whose pip says %q: %v, want that, and NoIndex: %v", said, err, want)
		}
	}
}

const missing = Missing("no tool; install it")

func TestUnit_AskAToolThatDoesNotWork(t *testing.T) {
	dir := t.TempDir()
	shim := clitest.Script(t, filepath.Join(dir, "shim"), "echo no toolchain\nexit 1")
	for program, want := range map[string]string{shim: "no toolchain", filepath.Join(dir, "none"): "none"} {
		if _, said, err := Ask(t.Context(), missing, program, "--version"); !errors.Is(err, missing) || !strings.Contains(err.Error(), want) {
			t.Errorf("Ask(%s): got %q, %v, want Missing with %q", program, said, err, want)
		}
	}
	if _, said, err := Ask(t.Context(), missing, "go", "version"); err != nil || !strings.HasPrefix(said, "go version") {
		t.Errorf("Ask(go): got %q, %v", said, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Ask(ended, missing, "go", "version"); !errors.Is(err, context.Canceled) {
		t.Errorf("Ask with an ended context: got %v, want %v", err, context.Canceled)
	}
}

// TestUnit_OnPath: a program is found in a folder whose name has a separator of
// paths.
func TestUnit_OnPath(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("OnPath needs /proc")
	}
	folder := filepath.Join(t.TempDir(), "a:b")
	clitest.Script(t, filepath.Join(folder, "tool"), "echo found")
	t.Setenv("PATH", OnPath(t, folder))
	if _, said, err := Ask(t.Context(), missing, "tool"); said != "found\n" || err != nil {
		t.Errorf("Ask(tool) with PATH=%s: got %q, %v", os.Getenv("PATH"), said, err)
	}
}

// outcome is a Test that notes how it ends.
type outcome string

func (*outcome) Helper()        {}
func (o *outcome) Skip(...any)  { *o = "skips" }
func (o *outcome) Fatal(...any) { *o = "fails" }
func (*outcome) Cleanup(func()) {}

func TestUnit_Require(t *testing.T) {
	for _, c := range []struct {
		err    error
		strict string
		want   outcome
	}{
		{nil, "1", ""}, {errors.New("another"), "", "fails"},
		{fmt.Errorf("port c: %w", missing), "", "skips"}, {missing, "1", "fails"},
	} {
		t.Setenv("SHAREDBARRIER_STRICT", c.strict)
		var got outcome
		if Require(&got, c.err); got != c.want {
			t.Errorf("Require(%v) with SHAREDBARRIER_STRICT=%q: %q, want %q", c.err, c.strict, got, c.want)
		}
	}
}
