package group

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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

// BenchmarkAsleep is a member that waits ten seconds for one that does not come:
// the share of a processor that the process uses, the Go runtime's threads and
// two guardians included.
func BenchmarkAsleep(b *testing.B) {
	name, lockPath := newNames(b)
	g := join(b, name, lockPath, 2, 0)
	join(b, name, lockPath, 2, 1)
	var used time.Duration
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
		before := processorTime(b)
		if err := g.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("Wait: %v, want that its context has ended", err)
		}
		used += processorTime(b) - before
		cancel()
	}
	b.ReportMetric(100*used.Seconds()/b.Elapsed().Seconds(), "%processor")
}

func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
