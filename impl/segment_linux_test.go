package impl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// TestUnit_SegmentKinds: Attach and Construct refuse a file that is no segment,
// and leave it unchanged.
func TestUnit_SegmentKinds(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	before := bytesOf(spec.Words{Enter: 1, Exit: 2, Flag: spec.Up}, spec.Size)
	if err := os.WriteFile(target, before, 0o600); err != nil {
		t.Fatal(err)
	}
	sized := func(n int) func(string) error {
		return func(path string) error { return os.WriteFile(path, bytesOf(spec.Initial, n), 0o600) }
	}
	for _, tc := range []struct {
		kind              string
		make              func(path string) error
		attach, construct error
	}{
		{"missing", func(string) error { return nil }, os.ErrNotExist, nil},
		{"right size", sized(spec.Size), nil, nil},
		{"too small", sized(spec.Size - 1), ErrSize, ErrSize},
		{"too large", sized(spec.Size + 1), ErrSize, ErrSize},
		{"symlink", func(path string) error { return os.Symlink(target, path) }, ErrNotRegular, ErrNotRegular},
		{"dangling symlink", func(path string) error { return os.Symlink(target+"2", path) }, ErrNotRegular, ErrNotRegular},
		{"fifo", func(path string) error { return unix.Mkfifo(path, 0o600) }, ErrNotRegular, ErrNotRegular},
		{"directory", func(path string) error { return os.Mkdir(path, 0o700) }, ErrNotRegular, ErrNotRegular},
	} {
		name := fmt.Sprintf("sharedbarrier-test-%d-%d", os.Getpid(), names.Add(1))
		t.Cleanup(func() { os.Remove(shm.Dir + name) })
		lockPath := filepath.Join(t.TempDir(), "lock")
		if err := tc.make(shm.Dir + name); err != nil {
			t.Fatal(err)
		}
		b, err := Attach(t.Context(), name, lockPath)
		wantError(t, "Attach to a segment that is "+tc.kind, err, tc.attach)
		if err == nil {
			b.Close()
		} else if _, err := os.Lstat(lockPath); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Attach to a segment that is %s leaves a lock file behind: Lstat: %v", tc.kind, err)
		}
		if tc.kind != "missing" {
			if _, err = Create(name, lockPath); !errors.Is(err, os.ErrExist) {
				t.Errorf("Create over a segment that is %s: got %v, want %v", tc.kind, err, os.ErrExist)
			}
		}
		b, err = Construct(name, lockPath)
		wantError(t, "Construct of a segment that is "+tc.kind, err, tc.construct)
		if err == nil {
			wantWords(t, b, spec.Initial)
			b.Close()
		}
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != string(before) {
		t.Errorf("the target of a symbolic link was written: %v, %v", got, err)
	}
}

// bytesOf returns n bytes that begin as the words do.
func bytesOf(w spec.Words, n int) []byte {
	b := make([]byte, max(n, spec.Size))
	for _, word := range spec.AllWords {
		v := map[spec.Word]int32{spec.Enter: w.Enter, spec.Exit: w.Exit, spec.Flag: w.Flag}[word]
		if _, err := binary.Encode(b[word.Offset():], binary.NativeEndian, v); err != nil {
			panic(err)
		}
	}
	return b[:n]
}

// TestUnit_Layout compares the words of a mapped segment with the bytes of the
// file.
func TestUnit_Layout(t *testing.T) {
	b, name, _ := create(t)
	for _, w := range []spec.Words{spec.Initial, {Enter: 1, Exit: 2, Flag: 0}, {Enter: 0x01020304, Exit: -2, Flag: 1 << 30}} {
		setWords(b, w)
		if got, err := os.ReadFile(shm.Dir + name); err != nil || string(got) != string(bytesOf(w, spec.Size)) {
			t.Errorf("segment with %v: got bytes %v, %v, want %v", w, got, err, bytesOf(w, spec.Size))
		}
		wantWords(t, b, w)
	}
}

// TestUnit_AttachWaitsForConstruction: while a peer makes the segment step by
// step, as the original does, Attach waits until a word is not 0, or its
// context ends.
func TestUnit_AttachWaitsForConstruction(t *testing.T) {
	name, lockPath := newNames(t)
	file, err := os.OpenFile(shm.Dir+name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	put := func(w spec.Words) func() error {
		return func() error { _, err := file.WriteAt(bytesOf(w, spec.Size), 0); return err }
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"creation", func() error { return nil }},
		{"sizing", func() error { return file.Truncate(spec.Size) }},
		{"MakeEnter", put(spec.Words{})},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*spec.Tick)
		_, err := Attach(ctx, name, lockPath)
		wantError(t, "Attach after "+step.name, err, context.DeadlineExceeded)
		cancel()
	}
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	attached := attachAside(t, name, lockPath)
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(spec.Initial)(); err != nil { // the rest of the construction
		t.Fatal(err)
	}
	if err := <-attached; err != nil {
		t.Errorf("Attach during construction: got %v, want nil", err)
	}
}

// TestUnit_AttachTurnsToTheNewSegment: if the segment is removed before it is
// constructed, Attach goes on with the one that then has the name, or fails.
func TestUnit_AttachTurnsToTheNewSegment(t *testing.T) {
	for _, size := range []int{0, spec.Size} { // not yet sized, not yet constructed
		for _, replaced := range []bool{true, false} {
			name, lockPath := newNames(t)
			if err := os.WriteFile(shm.Dir+name, make([]byte, size), 0o600); err != nil {
				t.Fatal(err)
			}
			attached := attachAside(t, name, lockPath)
			for !isOpen(t, shm.Dir+name) {
				runtime.Gosched()
			}
			want := error(os.ErrNotExist)
			if replaced { // by a rename, so that the name is never missing
				want = nil
				_, made, _ := create(t)
				if err := os.Rename(shm.Dir+made, shm.Dir+name); err != nil {
					t.Fatal(err)
				}
			} else if err := os.Remove(shm.Dir + name); err != nil {
				t.Fatal(err)
			}
			err := <-attached
			wantError(t, fmt.Sprintf("Attach to %d bytes, replaced: %v", size, replaced), err, want)
		}
	}
}

// attachAside attaches in a goroutine and sends the error. The words must be
// initial then.
func attachAside(t *testing.T, name, lockPath string) <-chan error {
	attached := make(chan error)
	go func() {
		b, err := Attach(t.Context(), name, lockPath)
		if err == nil {
			wantWords(t, b, spec.Initial)
			err = b.Close()
		}
		attached <- err
	}()
	return attached
}

// isOpen reports whether this process has the file open.
func isOpen(t *testing.T, path string) bool {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && target == path {
			return true
		}
	}
	return false
}

// TestUnit_AttachMeanwhileCreated: Create's segment is complete when it
// appears.
func TestUnit_AttachMeanwhileCreated(t *testing.T) {
	_, lockPath := newNames(t)
	for range 200 {
		name, _ := newNames(t)
		done := make(chan error)
		go func() {
			for {
				switch got, err := os.ReadFile(shm.Dir + name); {
				case errors.Is(err, os.ErrNotExist):
					continue
				case err != nil:
					done <- err
				case string(got) != string(bytesOf(spec.Initial, spec.Size)):
					done <- fmt.Errorf("segment first seen with %v", got)
				}
				close(done)
				return
			}
		}()
		b, err := Create(name, lockPath)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.Close()
	}
}

func TestUnit_TruncatedByPeer(t *testing.T) {
	b, name, lockPath := create(t)
	if err := errors.Join(os.WriteFile(lockPath, []byte("pid"), 0o600), os.Truncate(lockPath, 0)); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait after the lock file was truncated: got %v, want nil", err)
	}
	b.SetHook(func(s spec.Step) {
		if s == spec.CountEnter {
			if err := os.Truncate(shm.Dir+name, 0); err != nil {
				t.Error(err)
			}
		}
	})
	wantError(t, "Wait while the segment is truncated", b.Wait(t.Context(), 1), ErrSize)
	_, err := b.Words()
	wantError(t, "Words of a truncated segment", err, ErrSize)
	wantError(t, "Reset of a truncated segment", b.Reset(), ErrSize)
	if b.lock.Held {
		t.Error("the failed call holds the lock")
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
}

// TestUnit_SizeChangedByPeer: a call refuses to begin, and Words to answer,
// while the segment does not have its size. Its page stays mapped.
func TestUnit_SizeChangedByPeer(t *testing.T) {
	b, name, _ := create(t)
	for _, size := range []int64{1, spec.Size - 1, spec.Size + 1, 4096} {
		if err := os.Truncate(shm.Dir+name, size); err != nil {
			t.Fatal(err)
		}
		setWords(b, spec.Initial) // no step waits
		wantError(t, fmt.Sprintf("Wait on %d bytes", size), b.Wait(t.Context(), 1), ErrSize)
		_, err := b.Words()
		wantError(t, fmt.Sprintf("Words of %d bytes", size), err, ErrSize)
	}
}

// TestUnit_HookPanics: a panic of the hook passes and releases the lock.
func TestUnit_HookPanics(t *testing.T) {
	b, _, _ := create(t)
	b.SetHook(func(s spec.Step) {
		if s == spec.CountEnter {
			panic("hook")
		}
	})
	func() {
		defer func() {
			if p := recover(); p != "hook" {
				t.Errorf("recovered %v, want hook", p)
			}
		}()
		b.Wait(t.Context(), 1)
	}()
	b.SetHook(nil)
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait after the panic: got %v, want nil", err)
	}
}
