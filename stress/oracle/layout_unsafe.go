//go:build linux

package oracle

import (
	"os"
	"sync/atomic"
	"unsafe"
)

// header is the part of the ledger that belongs to no worker.
type header struct {
	rounds atomic.Int64 // the round to end with; 0: unbounded; written before any worker starts
	stop   atomic.Bool  // end with the next round; Begin of worker 0 loads it
	last   atomic.Int64 // the last round; 0: not decided; written by Begin of worker 0, loaded by IsLast and Over
	least  int64        // RequestStop makes no earlier round the last one; written before any worker starts
	_      [96]byte
	holder atomic.Int64 // the mark of a worker in a critical section; 0: none; see Observer.hold
	turns  atomic.Int64 // of a schedule that are over; written by EndTurn, loaded by Turns
	_      [112]byte
}

// entry is one worker's part of the ledger, on cache lines of its own. Only
// that worker writes it.
type entry struct {
	begun      atomic.Int64    // loaded by Return of every worker
	returned   atomic.Int64    // loaded by Entry, Rounds
	step       atomic.Int64    // loaded by Entry, and by Observer.meet of every worker
	violations atomic.Int64    // loaded by Violations
	beganAt    [2]atomic.Int64 // nanoseconds, of the last even and the last odd call; loaded by LastBegin
	started    atomic.Int64    // calls, also those that were left; loaded by Observer.quiescent of every worker
	ended      atomic.Int64    // of these; loaded by Observer.quiescent of every worker
	parties    atomic.Int64    // the count of the last call; loaded by Observer.meet of every worker
	dead       atomic.Int64    // 1: it dies; loaded by Observer.meet of every worker
	met        atomic.Uint64   // what it has met, a bit each; loaded by Met
	refuted    [5]atomic.Int64 // by property; loaded by Refuted
	until      int64           // the last round of which it is a party; 0: without end; written before any worker starts
	withdrawn  atomic.Int64    // calls; loaded by Entry
	abandoned  atomic.Int64    // calls; loaded by Entry
	happened   [8]atomic.Int64 // faults, by index; loaded by Happened
	answers    atomic.Int64    // of its port, if that announces its steps; loaded by Observer.lived of every worker
	_          [32]byte
}

// overlay lays the structs over the mapped memory, which is page-aligned.
func overlay(memory []byte, workers int) (*header, []entry) {
	first := unsafe.Pointer(&memory[unsafe.Sizeof(header{})])
	return (*header)(unsafe.Pointer(&memory[0])), unsafe.Slice((*entry)(first), workers)
}

// Both sizes are multiples of two cache lines: prefetching the lines of one
// worker then takes none of another's. Otherwise the array length is negative,
// and the package does not compile.
var (
	_ [-(unsafe.Sizeof(header{}) % 128)]byte
	_ [-(unsafe.Sizeof(entry{}) % 128)]byte
)

// size returns the bytes of a ledger for so many workers.
func size(workers int) int64 {
	return int64(unsafe.Sizeof(header{})) + int64(workers)*int64(unsafe.Sizeof(entry{}))
}

// besideFrom returns where the memory beside a ledger for so many workers
// begins.
func besideFrom(workers int) int64 {
	page := int64(os.Getpagesize())
	return (size(workers) + page - 1) / page * page
}
