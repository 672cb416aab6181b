package impl

import (
	"math"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// words are the three int32 of a mapped segment. Who may write them is the
// protocol's matter: whoever holds the lock. The two unlocked reads, at
// AwaitDrain and AwaitFlag, pair with the stores of InitExit and CountExit,
// and of RaiseFlag.
type words [3]int32

// Both must be exact: the segment is the words and nothing else. (A negative
// array length does not compile.)
var (
	_ [spec.Size - unsafe.Sizeof(words{})]struct{}
	_ [unsafe.Sizeof(words{}) - spec.Size]struct{}
)

// wordsOf gives the mapped bytes their type. A mapping starts on a page, so
// that every word is aligned.
func wordsOf(mapping []byte) *words {
	return (*words)(unsafe.Pointer(unsafe.SliceData(mapping[:spec.Size])))
}

func (w *words) load(word spec.Word) int32     { return atomic.LoadInt32(&w[word]) }
func (w *words) store(word spec.Word, v int32) { atomic.StoreInt32(&w[word], v) }

// contains reports whether addr is that of one of the words.
func (w *words) contains(addr uintptr) bool {
	return addr-uintptr(unsafe.Pointer(w)) < spec.Size
}

// The futex operations are the shared ones, without FUTEX_PRIVATE_FLAG: the
// waiters are other processes that have mapped the segment elsewhere.
const (
	futexWait = 0
	futexWake = 1
)

// sleep blocks while word holds v, until a wake or for one tick: a peer that
// never wakes anyone may have changed it (PROTOCOL.md, Waiting). The kernel
// compares and goes to sleep in one step, so that no wake is lost in between.
// Early returns (EAGAIN, EINTR, ETIMEDOUT) are all the same to a waiter, who
// looks again; sleep reports whether it was woken.
func (w *words) sleep(word spec.Word, v int32) bool {
	tick := unix.NsecToTimespec(int64(spec.Tick))
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w[word])), futexWait,
		uintptr(uint32(v)), uintptr(unsafe.Pointer(&tick)), 0, 0)
	return errno == 0
}

// wake ends the sleep of everyone who sleeps on word, and says how many.
func (w *words) wake(word spec.Word) int {
	n, _, _ := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w[word])), futexWake,
		math.MaxInt32, 0, 0, 0)
	return int(n)
}
