package impl

import (
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"

	"sharedbarrier/spec"
)

// BenchmarkLock is an acquisition and a release that nobody contends: ours,
// which keeps the file open and compares it with the path's, and that of a
// library which opens it every time (and does not compare).
func BenchmarkLock(b *testing.B) {
	b.Run("lock=ours", func(b *testing.B) {
		l, err := openLock(filepath.Join(b.TempDir(), "lock"))
		if err != nil {
			b.Fatal(err)
		}
		defer l.close()
		for b.Loop() {
			if held, err := l.try(); !held {
				b.Fatal(err)
			}
			l.release()
		}
	})
	b.Run("lock=gofrs", func(b *testing.B) {
		l := flock.New(filepath.Join(b.TempDir(), "lock"))
		for b.Loop() {
			if held, err := l.TryLock(); !held {
				b.Fatal(err)
			}
			l.Unlock()
		}
	})
}

// BenchmarkHook is a round of one party. That a hook which does nothing costs
// next to nothing, for its 20 calls, says that no hook costs nothing.
func BenchmarkHook(b *testing.B) {
	for _, hook := range []struct {
		name string
		hook func(spec.Step)
	}{{"none", nil}, {"empty", func(spec.Step) {}}} {
		b.Run("hook="+hook.name, func(b *testing.B) {
			barrier, _, _ := create(b)
			barrier.SetHook(hook.hook)
			for b.Loop() {
				if err := barrier.Wait(b.Context(), 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWake is what a writer pays for waking when nobody sleeps.
func BenchmarkWake(b *testing.B) {
	barrier, _, _ := create(b)
	for b.Loop() {
		barrier.segment.wake(spec.Flag)
	}
}
