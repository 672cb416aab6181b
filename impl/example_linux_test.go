package impl_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sharedbarrier/impl"
)

// Three parties work in two rounds. None begins the second before all have
// finished the first.
func Example() {
	name := fmt.Sprintf("example-%d", os.Getpid()) // in /dev/shm
	lockPath := filepath.Join(os.TempDir(), name)
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

// A call whose context ends undoes its effect on the words.
func ExampleBarrier_Wait_withdrawal() {
	name := fmt.Sprintf("example-%d", os.Getpid())
	lockPath := filepath.Join(os.TempDir(), name)
	b, err := impl.Create(name, lockPath)
	if err != nil {
		panic(err)
	}
	defer impl.Remove(name, lockPath)
	defer b.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	fmt.Println(b.Wait(ctx, 2)) // no other party calls
	words, err := b.Words()
	fmt.Println(words.Enter, "have entered", err)
	// Output:
	// context deadline exceeded
	// 0 have entered <nil>
}
