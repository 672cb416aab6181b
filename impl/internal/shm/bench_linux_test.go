package shm

import (
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// BenchmarkLock is an acquisition and a release without contention: of this
// package, which keeps the file open and compares it with the path, and of a
// library, which opens the file each time and does not compare.
func BenchmarkLock(b *testing.B) {
	b.Run("lock=ours", func(b *testing.B) {
		l, err := OpenLock(filepath.Join(b.TempDir(), "lock"), false)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		for b.Loop() {
			if held, err := l.Try(); !held {
				b.Fatal(err)
			}
			l.Release()
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
