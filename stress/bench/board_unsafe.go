//go:build linux

package bench

import (
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A board is the shared memory of one measurement, a file that bench and all
// workers map. It has lines of words of 64 bits; worker.c and worker.py read it,
// too:
//
//	line 0      written by bench before the workers start
//	line 1      written by party 0
//	line 2 + i  written by party i
//	last page   for a contender
//
// Only what a party has begun changes in each round, so no line is shared that
// a contender's own speed would depend on.
type board struct {
	bytes []byte
}

const (
	lineWords = 16
	lineBytes = lineWords * 8
	pageBytes = 4096
)

// The words of line 0.
const (
	wordParties = iota
	wordWarmUp  // nanoseconds
	wordFor     // nanoseconds
)

// The words of line 1. They are rounds, and 0 until they are known.
const (
	wordStart = lineWords + iota // the measured section begins at the end of this round
	wordLast                     // and ends at the end of this one; one more follows
)

// The words of each further line.
const (
	wordReady       = iota // 1: the party has opened the barrier
	wordBegun              // the last round that it has begun
	wordStarted            // when it returned from the round wordStart, on the monotonic clock, in nanoseconds
	wordEnded              // when it returned from the round wordLast
	wordCPU                // nanoseconds of the processor in between
	wordVoluntary          // context switches in between
	wordInvoluntary        // the same
	wordEarly              // the round of its first early exit
	wordEarlyPeer          // the party that had not begun this round
)

func boardSize(parties int) int {
	lines := (2 + parties) * lineBytes
	return (lines+pageBytes-1)/pageBytes*pageBytes + pageBytes
}

// makeBoard makes a board.
func makeBoard(path string, parties int) (board, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return board{}, err
	}
	defer file.Close()
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, int64(boardSize(parties))); err != nil {
		return board{}, &fs.PathError{Op: "fallocate", Path: path, Err: err}
	}
	b, err := mapBoard(file)
	if err == nil {
		b.word(wordParties).Store(int64(parties))
	}
	return b, err
}

// openBoard opens the board that bench has made.
func openBoard(path string) (board, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return board{}, err
	}
	defer file.Close()
	b, err := mapBoard(file)
	if err == nil && len(b.bytes) != boardSize(b.parties()) {
		return board{}, fmt.Errorf("%s is no board", path)
	}
	return b, err
}

func mapBoard(file *os.File) (board, error) {
	info, err := file.Stat()
	if err != nil {
		return board{}, err
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return board{}, &fs.PathError{Op: "mmap", Path: file.Name(), Err: err}
	}
	return board{bytes}, nil
}

func (b board) close() { syscall.Munmap(b.bytes) }

// word returns a word of the lines 0 and 1.
func (b board) word(i int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&b.bytes[i*8]))
}

// of returns a word of a party.
func (b board) of(party, i int) *atomic.Int64 { return b.word((2+party)*lineWords + i) }

func (b board) parties() int { return int(b.word(wordParties).Load()) }
