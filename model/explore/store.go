package explore

import "math/bits"

// A packed state is as many words as a machine needs, or more, of which the
// rest are zero.
type packed interface {
	[1]uint64 | [2]uint64 | [3]uint64 | [4]uint64 | [8]uint64
}

// hash spreads states evenly over all 64 bits. Nothing depends on its being
// free of collisions.
func hash[P packed](p *P) uint64 {
	h := mix((*p)[0])
	for i := 1; i < len(*p); i++ {
		h = mix((*p)[i] ^ h)
	}
	return h
}

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return hi ^ lo
}

// A shard holds the states whose hash says so, in the order in which they
// came, and finds them again. States are compared whole; the tag in an entry of
// the index only spares most of the comparisons that would fail.
type shard[P packed] struct {
	blocks []*[blockSize]P
	count  uint32
	index  []uint32 // open addressing: 0, or the tag above numberBits and the number+1
}

const (
	blockSize = 1 << 8

	numberBits = 26
	numberMask = 1<<numberBits - 1
	shardRoom  = numberMask // states that one shard can number
)

func (h *shard[P]) at(i uint32) *P { return &h.blocks[i/blockSize][i%blockSize] }

// find returns the number of s, or false and the place in the index where it
// would be.
func (h *shard[P]) find(s *P, hash uint64) (i uint32, place int, ok bool) {
	if len(h.index) == 0 {
		return 0, 0, false
	}
	place = home(hash, len(h.index))
	tag := uint32(hash) << numberBits
	for ; ; place++ {
		if place == len(h.index) {
			place = 0
		}
		entry := h.index[place]
		if entry == 0 {
			return 0, place, false
		}
		if entry&^numberMask == tag {
			if i := entry&numberMask - 1; *h.at(i) == *s {
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

// add appends s unless it is there, or returns false if there is no room.
func (h *shard[P]) add(s *P, hash uint64, room uint32) bool {
	if h.count >= uint32(len(h.index))/5*4 {
		h.grow()
	}
	_, place, ok := h.find(s, hash)
	if ok || h.count >= room {
		return ok
	}
	i := h.count
	if i%blockSize == 0 {
		h.blocks = append(h.blocks, new([blockSize]P))
	}
	h.blocks[i/blockSize][i%blockSize] = *s
	h.index[place] = uint32(hash)<<numberBits | (i + 1)
	h.count++
	return true
}

// larger returns the size of the index that follows one of the given size.
func larger(index int) int { return max(320, 2*index) }

// grow makes the index twice as large.
func (h *shard[P]) grow() {
	index := make([]uint32, larger(len(h.index)))
	for i := range h.count {
		code := hash(h.at(i))
		place := home(code, len(index))
		for index[place] != 0 {
			if place++; place == len(index) {
				place = 0
			}
		}
		index[place] = uint32(code)<<numberBits | (i + 1)
	}
	h.index = index
}

// bytes is the memory that the shard takes.
func (h *shard[P]) bytes() int64 { return shardBytes[P](len(h.blocks), len(h.index)) }

// mayTake is the memory that the shard takes more when so many states are
// added.
func (h *shard[P]) mayTake(more uint32) int64 {
	count := h.count + more
	index := len(h.index)
	for count > uint32(index)/5*4 {
		index = larger(index)
	}
	return shardBytes[P](int(count+blockSize-1)/blockSize, index) - h.bytes()
}

func shardBytes[P packed](blocks, index int) int64 {
	var p P
	return int64(blocks)*int64(blockSize*8*len(p)) + 4*int64(index)
}
