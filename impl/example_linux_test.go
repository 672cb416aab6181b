package impl_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sharedbarrier/impl"
)

// Three parties work in two rounds. None begins the second before all have
// finished the first.
func Example() {
	name := fmt.Sprintf("example-%d", os.Getpid()) // in /dev/shm
	lockPath := filepath.Join(os.TempDir(), name+".lock")
	b, err := impl.Create(name, lockPath)
	if err != nil {
		panic(err)
	}
	defer impl.Remove(name, lockPath)
	defer b.Close()

	ctx := context.Background()
	var parties sync.WaitGroup
	for range 3 { // goroutines here; any processes that know both names
		parties.Go(func() {
			b, err := impl.Attach(ctx, name, lockPath)
			if err != nil {
				panic(err)
			}
			defer b.Close()
			for round := range 2 {
				fmt.Println("working in round", round)
				if err := b.Wait(ctx, 3); err != nil {
					panic(err)
				}
			}
		})
	}
	parties.Wait()
	// Output:
	// working in round 0
	// working in round 0
	// working in round 0
	// working in round 1
	// working in round 1
	// working in round 1
}
