package shm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){"coarse times": func() {
		if err := roleCoarseTimes(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}})
}

// roleCoarseTimes mounts an ext4 image whose change times are whole seconds,
// and replaces a lock file there while a lock is open and its change time is
// old.
func roleCoarseTimes(args []string) error {
	image, dir := args[0], args[1]
	if exec.Command("mount", "-o", "loop", image, dir).Run() != nil {
		fmt.Print("may not mount")
		return nil
	}
	path := filepath.Join(dir, "lock")
	for range 3 { // the change may come in the next second
		l, err := OpenLock(path, false)
		if err != nil {
			return err
		}
		defer l.Close()
		for opened := time.Now(); time.Since(opened) < 2*ctimeGranularity; {
			if held, err := l.Try(); !held {
				return fmt.Errorf("Try: got %v, %v, want true", held, err)
			}
			l.Release()
		}
		if err := errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600)); err != nil {
			return err
		}
		newcomer, err := OpenLock(path, false)
		if err != nil {
			return err
		}
		defer newcomer.Close()
		for _, l := range []*Lock{newcomer, l} {
			held, err := l.Try()
			if err != nil || held != (l == newcomer) {
				return fmt.Errorf("Try after the lock file was replaced: got %v, %v, want true for the first one alone", held, err)
			}
		}
		newcomer.Release()
	}
	return nil
}

func TestProc_CoarseTimes(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 4<<20)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-I", "128", image).CombinedOutput(); err != nil {
		t.Skipf("cannot make a file system: %v: %s", err, out)
	}
	cmd := reexec.Command(t.Context(), "coarse times", image, t.TempDir())
	reexec.InMountNamespace(cmd)
	out, err := cmd.CombinedOutput()
	switch {
	case reexec.NoNamespace(err):
		toolcache.Require(t, toolcache.Missing("no right to make a mount namespace; run as root or allow unprivileged user namespaces"))
	case string(out) == "may not mount":
		t.Skip("cannot mount an image: no loop device, or not root")
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}
