package group_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sharedbarrier/impl/group"
)

// Two members meet. Then one of them waits for the other, which does not come,
// and is told who is missing.
func Example() {
	name := fmt.Sprintf("group-example-%d", os.Getpid()) // in /dev/shm
	lockPath := filepath.Join(os.TempDir(), name+".lock")
	defer group.Remove(name, lockPath)

	ctx := context.Background()
	var loaders [2]*group.Group
	for rank := range loaders { // in one process here; any processes that know both names
		g, err := group.Join(ctx, group.Config{
			Name: name, LockPath: lockPath, Parties: 2, Rank: rank, Label: fmt.Sprintf("loader %d", rank),
		})
		if err != nil {
			panic(err)
		}
		defer g.Leave()
		loaders[rank] = g
	}

	var both sync.WaitGroup
	for _, g := range loaders {
		both.Go(func() {
			if err := g.Wait(ctx); err != nil {
				panic(err)
			}
		})
	}
	both.Wait()
	fmt.Println("both have met")

	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	var missing *group.MissingError
	if errors.As(loaders[0].Wait(short), &missing) {
		for _, r := range missing.Missing {
			fmt.Printf("round %d: %s is missing: %s\n", missing.Round, r.Label, r.State)
		}
	}
	// Output:
	// both have met
	// round 2: loader 1 is missing: outside
}
