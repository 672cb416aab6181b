package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

func init() { programs["full"] = full }

// full runs the command in a mount namespace in which TMPDIR has the size of the
// first argument. It prints what the command leaves there.
func full() {
	if syscall.Mount("none", os.Getenv("TMPDIR"), "tmpfs", 0, "size="+os.Args[1]) != nil {
		fmt.Print("may not mount")
		return
	}
	cmd := reexec.Command(context.Background(), "check", os.Args[2:]...)
	cmd.Stderr = os.Stderr
	cmd.Run()
	left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	fmt.Print(cmd.ProcessState.ExitCode(), left)
}

// On a full disk the command says so and what to do, and leaves nothing: before
// TLC runs, and when TLC unpacks its modules.
func TestProc_FullDisk(t *testing.T) {
	t.Parallel()
	_, temp := check(t)
	tools, err := tlc.Find(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		size int64
		says string
	}{{1 << 20, "write "}, {sizeOfRun(t, tools) + 8<<10, tlc.ErrTLC.Error()}} {
		cmd := reexec.Command(t.Context(), "full", fmt.Sprint(c.size), "single-n1-safety")
		cmd.Env = append(cmd.Env, "TMPDIR="+temp, "XDG_CACHE_HOME="+t.TempDir(), tlc.JarVariable+"="+tools.Jar)
		reexec.InMountNamespace(cmd)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if reexec.NoNamespace(err) || string(out) == "may not mount" {
			toolcache.Require(t, toolcache.Missing("no right to make a mount namespace; run as root or allow unprivileged user namespaces"))
		}
		if want := fmt.Sprint(spec.ExitUsage, []string{}); err != nil || string(out) != want {
			t.Errorf("check with a TMPDIR of %d bytes: %v, exit code and rest %s, want %s", c.size, err, out, want)
		}
		if said := stderr.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, c.says) ||
			!strings.Contains(said, "no space left on device: make room in "+temp) {
			t.Errorf("check with a TMPDIR of %d bytes: %q on stderr, want one line with %q, the reason and what to do", c.size, said, c.says)
		}
	}
}

// sizeOfRun returns what the files of a run take in memory, in whole pages.
func sizeOfRun(t *testing.T, tools tlc.Tools) int64 {
	t.Helper()
	page := int64(os.Getpagesize())
	size := 2 * page // the configuration and Loopback
	jar, err := os.Stat(tools.Jar)
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int64{jar.Size()}
	modules, err := fs.Glob(tla.Files, "*.tla")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range modules {
		text, err := fs.ReadFile(tla.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, int64(len(text)))
	}
	for _, n := range sizes {
		size += (n + page - 1) / page * page
	}
	return size
}
