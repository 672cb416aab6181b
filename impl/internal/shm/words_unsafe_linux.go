package shm

import (
	"math"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// Words are the three int32 of a mapped segment. The callers say which
// load pairs with which store.
type Words [3]int32

// The segment is the words and nothing else. A negative array length does not
// compile.
var (
	_ [spec.Size - unsafe.Sizeof(Words{})]struct{}
	_ [unsafe.Sizeof(Words{}) - spec.Size]struct{}
)

// wordsOf returns the mapped bytes as words. A mapping starts on a page, so
// every word is aligned.
func wordsOf(mapping []byte) *Words {
	return (*Words)(unsafe.Pointer(unsafe.SliceData(mapping[:spec.Size])))
}

// Load and Store are atomic.
func (w *Words) Load(word spec.Word) int32     { return atomic.LoadInt32(&w[word]) }
func (w *Words) Store(word spec.Word, v int32) { atomic.StoreInt32(&w[word], v) }

// contains reports whether addr is in the part of the mapping that is used.
func (f *File) contains(addr uintptr) bool {
	return addr-uintptr(unsafe.Pointer(unsafe.SliceData(f.Mapping))) < uintptr(f.size)
}

// The futex operations lack FUTEX_PRIVATE_FLAG, since other processes sleep on
// the words too.
const (
	futexWait = 0
	futexWake = 1
)

// Sleep blocks while word holds v, until a wake or for one tick, since some
// peers wake no process (PROTOCOL.md, section 8). It may return early (EAGAIN,
// EINTR), and reports whether it was woken. The kernel compares the word and
// sleeps in one step, so no wake is lost. Its load pairs with the store before
// the wake.
func (w *Words) Sleep(word spec.Word, v int32) bool {
	tick := unix.NsecToTimespec(int64(spec.Tick))
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w[word])), futexWait,
		uintptr(uint32(v)), uintptr(unsafe.Pointer(&tick)), 0, 0)
	return errno == 0
}

// Wake wakes all who sleep on word and returns their number.
func (w *Words) Wake(word spec.Word) int {
	n, _, _ := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w[word])), futexWake,
		math.MaxInt32, 0, 0, 0)
	return int(n)
}
