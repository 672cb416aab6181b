package model

import "unsafe"

// A shard holds the states whose hash says so, in the order in which they
// came, and finds them again. States are compared whole; the tag in an entry of
// the index only spares most of the comparisons that would fail.
type shard[S packed] struct {
	blocks []*[blockSize]S
	count  uint32
	index  []uint32 // open addressing: 0, or tag<<24 | number+1
}

const (
	blockSize = 1 << 10
	shardRoom = 1<<24 - 1 // states that one shard can number
)

func (h *shard[S]) at(i uint32) *S { return &h.blocks[i/blockSize][i%blockSize] }

// find returns the number of s, or false and the place in the index where it
// would be.
func (h *shard[S]) find(s *S, hash uint64) (i uint32, place int, ok bool) {
	if len(h.index) == 0 {
		return 0, 0, false
	}
	place = home(hash, len(h.index))
	tag := uint32(hash) << 24
	for ; ; place++ {
		if place == len(h.index) {
			place = 0
		}
		entry := h.index[place]
		if entry == 0 {
			return 0, place, false
		}
		if entry&(0xff<<24) == tag {
			if i := entry&(1<<24-1) - 1; *h.at(i) == *s {
				return i, place, true
			}
		}
	}
}

// home is where in an index of the given size a search begins. The highest
// bits of the hash have chosen the shard, the lowest are the tag.
func home(hash uint64, size int) int {
	return int(hash >> 8 & (1<<32 - 1) * uint64(size) >> 32)
}

// add appends s, which find did not find and which place is for.
func (h *shard[S]) add(s *S, hash uint64, place int) uint32 {
	if h.count >= uint32(len(h.index))/5*4 {
		h.grow()
		_, place, _ = h.find(s, hash)
	}
	i := h.count
	if i%blockSize == 0 {
		h.blocks = append(h.blocks, new([blockSize]S))
	}
	h.blocks[i/blockSize][i%blockSize] = *s
	h.index[place] = uint32(hash)<<24 | (i + 1)
	h.count++
	return i
}

// larger returns the size of the index that follows one of the given size.
func larger(index int) int { return max(20, index/2*3) }

// grow makes the index half as large again.
func (h *shard[S]) grow() {
	index := make([]uint32, larger(len(h.index)))
	for i := range h.count {
		code := hash(h.at(i))
		place := home(code, len(index))
		for index[place] != 0 {
			if place++; place == len(index) {
				place = 0
			}
		}
		index[place] = uint32(code)<<24 | (i + 1)
	}
	h.index = index
}

// bytes is the memory that the shard takes.
func (h *shard[S]) bytes() int64 { return shardBytes[S](len(h.blocks), len(h.index)) }

// mayTake is the memory that the shard takes more when so many states are added.
func (h *shard[S]) mayTake(more uint32) int64 {
	count := h.count + more
	index := len(h.index)
	for count > uint32(index)/5*4 {
		index = larger(index)
	}
	return shardBytes[S](int(count+blockSize-1)/blockSize, index) - h.bytes()
}

func shardBytes[S packed](blocks, index int) int64 {
	var s S
	return int64(blocks)*int64(blockSize*unsafe.Sizeof(s)) + 4*int64(index)
}
