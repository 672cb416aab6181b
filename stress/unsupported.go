//go:build !linux

// Command stress runs on Linux only.
package main

import (
	"fmt"
	"os"

	"sharedbarrier/spec"
)

func main() {
	fmt.Fprintln(os.Stderr, "stress: the barrier needs Linux (flock, futex, /dev/shm); run this there")
	os.Exit(spec.ExitUsage)
}
