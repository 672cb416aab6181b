package group

import "testing"

// BenchmarkAlone is a round of one party: what a round costs without waiting.
// The lock is the part of it that package impl has, too.
func BenchmarkAlone(b *testing.B) {
	name, lockPath := newNames(b)
	g := join(b, name, lockPath, 1, 0)
	b.Run("what=round", func(b *testing.B) {
		for b.Loop() {
			if err := g.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("what=lock", func(b *testing.B) {
		for b.Loop() {
			g.lock.Try()
			g.lock.Release()
		}
	})
}
