package impl

import (
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"

	"sharedbarrier/spec"
)

// BenchmarkLock is an acquisition and a release without contention: of this
// package, which keeps the file open and compares it with the path, and of a
// library, which opens the file each time and does not compare.
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

// BenchmarkHook is a round of one party, without a hook and with one that does
// nothing, which the round calls 20 times.
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

// BenchmarkWake is a wake when no process sleeps.
func BenchmarkWake(b *testing.B) {
	barrier, _, _ := create(b)
	for b.Loop() {
		barrier.segment.wake(spec.Flag)
	}
}
