//go:build linux

package conformance

import (
	"sync/atomic"
	"unsafe"

	"sharedbarrier/spec"
)

// atomicWord is a word of a mapped segment.
func atomicWord(segment []byte, word spec.Word) *atomic.Int32 {
	return (*atomic.Int32)(unsafe.Pointer(&segment[word.Offset()]))
}
