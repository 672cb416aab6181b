package group

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

var names atomic.Int64

// newNames returns the names of a new group, whose files are removed after the
// test.
func newNames(t testing.TB) (name, lockPath string) {
	t.Helper()
	name = fmt.Sprintf("sharedbarrier-group-%d-%d", os.Getpid(), names.Add(1))
	lockPath = filepath.Join(t.TempDir(), "lock")
	t.Cleanup(func() {
		if err := Remove(name, lockPath); err != nil {
			t.Errorf("Remove(%q): got %v, want nil", name, err)
		}
	})
	return name, lockPath
}

func join(t testing.TB, name, lockPath string, parties, rank int) *Group {
	t.Helper()
	g, err := Join(context.Background(), Config{Name: name, LockPath: lockPath, Parties: parties, Rank: rank, Label: fmt.Sprint("member ", rank)})
	if err != nil {
		t.Fatalf("Join with rank %d: got %v, want nil", rank, err)
	}
	t.Cleanup(func() { g.Leave() })
	return g
}

func wantError(t testing.TB, call string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", call, got, want)
	}
}

func wantWords(t testing.TB, name string, want spec.Words) {
	t.Helper()
	s := segmentOf(t, name)
	defer s.Close()
	if got := s.Snapshot(); got != want {
		t.Errorf("words: got %v, want %v", got, want)
	}
}

// wantRounds has all members call in so many rounds, and compares what each
// sees of the others.
func wantRounds(t *testing.T, rounds int64, members ...*Group) {
	t.Helper()
	begun := make([]atomic.Int64, len(members))
	var all sync.WaitGroup
	for p, g := range members {
		all.Go(func() {
			for r := int64(1); r <= rounds; r++ {
				begun[p].Store(r)
				if err := g.Wait(t.Context()); err != nil {
					t.Errorf("rank %d: Wait %d: got %v, want nil", g.cfg.Rank, r, err)
					return
				}
				for q := range begun {
					if got := begun[q].Load(); got < r {
						t.Errorf("rank %d returned from call %d when rank %d had begun %d", g.cfg.Rank, r, q, got)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestUnit_RoundsOfMembers(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		name, lockPath := newNames(t)
		var members []*Group
		for rank := range n {
			members = append(members, join(t, name, lockPath, n, rank))
		}
		wantRounds(t, 200, members...)
		wantWords(t, name, spec.Initial)
		for i, g := range members {
			if s, err := g.Status(); err != nil || s.Round != 201 || s.Broken {
				t.Errorf("Status of rank %d of %d: got %v, %v, want round 201", i, n, s, err)
			}
			if err := g.Leave(); err != nil {
				t.Errorf("Leave of rank %d of %d: got %v, want nil", i, n, err)
			}
		}
		if _, err := os.Lstat(shm.Dir + name + spec.GroupSuffix); !os.IsNotExist(err) {
			t.Errorf("after the last one of %d left: Lstat: got %v, want no file", n, err)
		}
	}
}

// TestUnit_RoundsWithForeignParties: members and parties of package impl meet.
func TestUnit_RoundsWithForeignParties(t *testing.T) {
	const rounds = 30
	for _, tc := range []struct{ members, foreign int }{{1, 1}, {2, 1}, {1, 2}, {2, 2}} {
		name, lockPath := newNames(t)
		n := tc.members + tc.foreign
		var members []*Group
		for rank := range tc.members {
			members = append(members, join(t, name, lockPath, n, rank))
		}
		var all sync.WaitGroup
		for range tc.foreign {
			b, err := impl.Attach(t.Context(), name, lockPath)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				defer b.Close()
				for r := range rounds {
					if err := b.Wait(t.Context(), n); err != nil {
						t.Errorf("foreign party of %v: Wait %d: got %v, want nil", tc, r, err)
					}
				}
			})
		}
		wantRounds(t, rounds, members...)
		all.Wait()
		for _, g := range members {
			if err := g.Leave(); err != nil {
				t.Errorf("Leave of %v: got %v, want nil", tc, err)
			}
		}
		wantWords(t, name, spec.Initial)
		if _, err := os.Lstat(shm.Dir + name + spec.GroupSuffix); !os.IsNotExist(err) {
			t.Errorf("after the last one of %v left: Lstat: got %v, want no file", tc, err)
		}
	}
}
