package model

import "math/bits"

// A packed state is a state of a protocol in as few bits as it takes, exactly:
// equal packed states are equal states. The shared state lies in the lowest
// bits, each process in a field of its own, no field across two words.
type packed interface {
	[1]uint64 | [2]uint64 | [4]uint64 | [8]uint64
}

// A layout says where in a packed state the parts of a view lie.
type layout struct {
	fields     int
	sharedMask uint64
	localMask  uint64 // of a field
	localBits  int
	fieldMask  uint64 // local state and, above it, rounds
	words      int
	word       [MaxProcs]uint8
	shift      [MaxProcs]uint8
}

func newLayout(t *protocol) layout {
	width := func(count int) int { return max(1, bits.Len(uint(count-1))) }
	l := layout{fields: t.procs, localBits: width(t.locals)}
	shared, field := width(t.shareds), l.localBits
	if t.relative {
		field += bits.Len(maxAhead)
	}
	l.sharedMask, l.localMask, l.fieldMask = 1<<shared-1, 1<<l.localBits-1, 1<<field-1
	word, at := 0, shared
	for p := range t.procs {
		if at+field > 64 {
			word, at = word+1, 0
		}
		l.word[p], l.shift[p] = uint8(word), uint8(at)
		at += field
	}
	l.words = word + 1
	return l
}

func pack[S packed](l *layout, v *view) (s S) {
	s[0] = uint64(v.shared)
	for p := range l.fields {
		s[l.word[p]] |= (uint64(v.locals[p]) | uint64(v.rounds[p])<<l.localBits) << l.shift[p]
	}
	return s
}

func unpack[S packed](l *layout, s *S, v *view) {
	v.shared = uint16((*s)[0] & l.sharedMask)
	for p := range l.fields {
		field := (*s)[l.word[p]] >> l.shift[p] & l.fieldMask
		v.locals[p] = uint16(field & l.localMask)
		v.rounds[p] = uint8(field >> l.localBits)
	}
}

// hash spreads states evenly over all 64 bits. Nothing depends on its being
// free of collisions.
func hash[S packed](s *S) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for i := range len(*s) {
		hi, lo := bits.Mul64((*s)[i]^h, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	hi, lo := bits.Mul64(h, 0xa0761d6478bd642f)
	return hi ^ lo
}
