//go:build linux

package oracle

import (
	"sync/atomic"
	"unsafe"
)

// run is the part of the witness that belongs to no worker.
type run struct {
	stop atomic.Bool  // written by the supervisor: make the coming round the last one
	last atomic.Int64 // written by worker 0 before it begins that round; 0: not known yet
	_    [112]byte
}

// slot is one worker's part of the witness, on cache lines of its own. The
// worker writes it, everybody reads it.
type slot struct {
	begun      atomic.Int64    // pairs with the loads of Return in other workers
	returned   atomic.Int64    // for the supervisor
	step       atomic.Int64    // for the supervisor
	violations atomic.Int64    // for the supervisor
	beganAt    [2]atomic.Int64 // monotonic nanoseconds of the last even and the last odd call
	_          [80]byte
}

// overlay lays the structs over the mapped memory, which is page-aligned.
func overlay(memory []byte, workers int) (*run, []slot) {
	first := unsafe.Pointer(&memory[unsafe.Sizeof(run{})])
	return (*run)(unsafe.Pointer(&memory[0])), unsafe.Slice((*slot)(first), workers)
}

// Both sizes are multiples of two cache lines, so that prefetching one
// worker's lines never takes a neighbour's. A negative array length is the
// compiler's way to say that they are not.
var (
	_ [-(unsafe.Sizeof(run{}) % 128)]byte
	_ [-(unsafe.Sizeof(slot{}) % 128)]byte
)

// size is how many bytes a witness for so many workers takes.
func size(workers int) int64 {
	return int64(unsafe.Sizeof(run{})) + int64(workers)*int64(unsafe.Sizeof(slot{}))
}
