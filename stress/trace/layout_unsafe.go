//go:build linux

package trace

import (
	"sync/atomic"
	"unsafe"

	"sharedbarrier/spec"
)

// header is the part of the memory that belongs to no worker.
type header struct {
	count   atomic.Int64 // stride for each section of all workers; Track adds to it and loads it
	_       [56]byte
	slowest [Slowest]atomic.Int64 // the longest latencies in nanoseconds, in no order; IsSlow loads and stores them
	lost    atomic.Int64          // the least number of a record that a journal had no room for; 0: there is none; lose stores it for Lost
	why     atomic.Int64          // the number of the error of that
	_       [64 - 8*(Slowest+2)]byte
}

// places is the number of records of a ring: one may be torn.
const places = Last + 1

// ring is the part of one worker. Position p is in place p % places.
type ring struct {
	first [places]place // first attempts
	again [places]place // last attempts; at a position with one attempt: what is there is of an older one
}

// place holds one attempt, on a cache line of its own. The worker stores the
// parts in any order, and the last one is the sum of the others.
type place [8]uint64

// content is what a place holds.
type content struct {
	position uint64 // of the record, counted from 1
	number   int64
	at       int64
	round    int64
	what     what
	attempts uint32
	parties  int32
	words    spec.Words
}

// write stores the content. It is inlined for speed: what it is given is still
// in registers.
func (p *place) write(position, number, at, round, label, enterExit, flagParties uint64) {
	p[0], p[1], p[2], p[3], p[4], p[5], p[6] = position, number, at, round, label, enterExit, flagParties
	p[7] = sum(position, number, at, round, label, enterExit, flagParties)
}

// pair returns two parts as one.
func pair(high, low uint32) uint64 { return uint64(high)<<32 | uint64(low) }

// read returns the content of the place. It reports false where the sum is
// wrong: the place is empty, or its worker was writing it when it died, or is
// writing it now.
func (p *place) read() (content, bool) {
	v := p.copied()
	return content{
		position: v[0],
		number:   int64(v[1]),
		at:       int64(v[2]),
		round:    int64(v[3]),
		what:     what(v[4]),
		attempts: uint32(v[4] >> 32),
		parties:  int32(v[6]),
		words:    spec.Words{Enter: int32(v[5] >> 32), Exit: int32(v[5]), Flag: int32(v[6] >> 32)},
	}, v[7] == sum(v[0], v[1], v[2], v[3], v[4], v[5], v[6])
}

// copied loads each part once: what is written later does not change the copy.
//
//go:noinline
func (p *place) copied() place { return *p }

// isEmpty reports whether nothing was ever written.
func (p *place) isEmpty() bool { return p.copied() == place{} }

// sum is not 0 for zeros. Its factors are odd, so that a change of one part
// always changes it, and have no pattern, so that the changes of several parts
// cancel each other out once in 2^64.
func sum(a, b, c, d, e, f, g uint64) uint64 {
	return 1 + a*0x9e3779b97f4a7c15 + b*0xbf58476d1ce4e5b9 + c*0x94d049bb133111eb + d*0xd6e8feb86659fd93 +
		e*0xa0761d6478bd642f + f*0xe7037ed1a0b428db + g*0x8ebc6af09c88c6e3
}

// placesIn returns the places that the memory has.
func placesIn(memory []byte) []place {
	return unsafe.Slice((*place)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/placeSize)
}

// placeSize is the size of a place in bytes.
const placeSize = int(unsafe.Sizeof(place{}))

// bytes returns the memory of the place.
func (p *place) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), placeSize) }

// overlay lays the structs over the mapped memory, which begins on a page.
func overlay(memory []byte, workers int) (*header, []ring) {
	_ = memory[:Size(workers)]
	first := unsafe.Pointer(&memory[unsafe.Sizeof(header{})])
	return (*header)(unsafe.Pointer(&memory[0])), unsafe.Slice((*ring)(first), workers)
}

// Size returns the bytes of a recorder for so many workers.
func Size(workers int) int64 {
	return int64(unsafe.Sizeof(header{})) + int64(workers)*int64(unsafe.Sizeof(ring{}))
}

// These sizes keep workers off the cache lines of others, two of which a
// processor may fetch together. If one is wrong the array length is negative,
// and the package does not compile.
var (
	_ [-(unsafe.Sizeof(header{}) % 128)]byte
	_ [-(unsafe.Sizeof(ring{}) % 128)]byte
)
