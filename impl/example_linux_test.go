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

// Three parties, here goroutines with a handle each, meet twice.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	name, lockPath := filepath.Base(dir), filepath.Join(dir, "lock")

	b, err := impl.Create(name, lockPath)
	if err != nil {
		panic(err)
	}
	defer impl.Remove(name, lockPath)
	defer b.Close()

	const parties = 3
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for p := range parties {
		group.Go(func() {
			b, err := impl.Attach(ctx, name, lockPath)
			if err != nil {
				panic(err)
			}
			defer b.Close()
			for round := range 2 {
				if err := b.Wait(ctx, parties); err != nil {
					panic(err)
				}
				if p == 0 {
					fmt.Println("round", round, "is complete")
				}
			}
		})
	}
	group.Wait()
	fmt.Println(b.Words())
	// Output:
	// round 0 is complete
	// round 1 is complete
	// enter=0 exit=-1 flag=1 <nil>
}

// A call whose context ends leaves as if it had never come.
func ExampleBarrier_Wait_withdrawal() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	name, lockPath := filepath.Base(dir), filepath.Join(dir, "lock")

	b, err := impl.Create(name, lockPath)
	if err != nil {
		panic(err)
	}
	defer impl.Remove(name, lockPath)
	defer b.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	fmt.Println(b.Wait(ctx, 2)) // the other party never comes
	words, _ := b.Words()
	fmt.Println(words.Enter, "have entered")
	// Output:
	// context deadline exceeded
	// 0 have entered
}
