package group

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A header is the begin of the group's segment (GROUP.md, section 3).
type header struct {
	magic                  atomic.Uint64
	version, parties       atomic.Uint32
	device, inode          atomic.Uint64
	_                      [32]byte
	turn, completed        atomic.Uint64
	owed                   atomic.Uint32
	_                      [44]byte
	phase, taken           atomic.Uint32
	round                  atomic.Uint64
	enter, exit, flag      atomic.Int32
	_                      [100]byte
	brokenRound            atomic.Uint64
	brokenRank, brokenStep atomic.Uint32
	brokenSince            atomic.Int64
	brokenPid              atomic.Int32
	_                      [4]byte
	brokenLabel            label
	_                      [160]byte
}

// A slot is the part of one rank.
type slot struct {
	next          atomic.Uint64
	owner, asleep atomic.Uint32
	arrival       atomic.Uint64
	broken        atomic.Uint64
	step          atomic.Uint32
	pid           atomic.Int32
	since         atomic.Int64
	watches       atomic.Uint32
	_             [12]byte
	label         label
	_             [128]byte
}

// A label is text, ended by a zero byte. It is written and read eight bytes at
// a time, so a reader can meet half of a new one.
type label [8]atomic.Uint64

func (l *label) set(text string) {
	var b [64]byte
	copy(b[:], text)
	for i := range l {
		l[i].Store(binary.NativeEndian.Uint64(b[8*i:]))
	}
}

func (l *label) String() string {
	var b [64]byte
	for i := range l {
		binary.NativeEndian.PutUint64(b[8*i:], l[i].Load())
	}
	return unix.ByteSliceToString(b[:])
}

// Negative array lengths do not compile.
var (
	_ [spec.GroupHeaderSize - unsafe.Sizeof(header{})]struct{}
	_ [unsafe.Sizeof(header{}) - spec.GroupHeaderSize]struct{}
	_ [spec.GroupSlotSize - unsafe.Sizeof(slot{})]struct{}
	_ [unsafe.Sizeof(slot{}) - spec.GroupSlotSize]struct{}
)

// sizeOf returns the size of the segment of a group.
func sizeOf(parties int) int { return spec.GroupHeaderSize + parties*spec.GroupSlotSize }

// overlay returns the mapped bytes as header and slots.
func overlay(mapping []byte) (*header, []slot) {
	h := (*header)(unsafe.Pointer(unsafe.SliceData(mapping[:spec.GroupHeaderSize])))
	rest := mapping[spec.GroupHeaderSize:]
	return h, unsafe.Slice((*slot)(unsafe.Pointer(unsafe.SliceData(rest))), len(rest)/spec.GroupSlotSize)
}

// The futexes are in shared memory, so they are not private.
const (
	futexWait = 0
	futexWake = 1
)

// The bits of an owner, as linux/futex.h has them.
const (
	futexWaiters   = 1 << 31
	futexOwnerDied = 1 << 30
	futexThread    = 1<<30 - 1
)

// low is the half of turn in which waiters sleep.
var low = func() uintptr {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return 0
	}
	return 4
}()

// sleepTurn blocks while turn is v, for at most d, until a wake. It may return
// early.
func (h *header) sleepTurn(v uint64, d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&h.turn))+low, futexWait, uintptr(uint32(v)), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// napTurn is sleepTurn for a short time. The Go runtime takes the thread for one
// that computes. In sleepTurn it gives the thread's processor away after 20 µs
// and wakes a thread of its own when the sleep ends: half of the processor time
// of a round of 8 members. If it needs the processor, as for a garbage
// collection, its signal ends the nap (not with GODEBUG=asyncpreemptoff=1).
func (h *header) napTurn(v uint64, d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&h.turn))+low, futexWait, uintptr(uint32(v)), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// wakeTurn wakes all who sleep in turn.
func (h *header) wakeTurn() {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&h.turn))+low, futexWake, math.MaxInt32, 0, 0, 0)
}

// sleepOwner blocks while the owner is v, until a wake or the owner's death. It
// may return early.
func (s *slot) sleepOwner(v uint32) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.owner)), futexWait, uintptr(v), 0, 0, 0)
}

// wakeOwner wakes all who sleep on the owner.
func (s *slot) wakeOwner() {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.owner)), futexWake, math.MaxInt32, 0, 0, 0)
}

// A robustList is struct robust_list_head of the kernel. Its thread's death
// marks the owners of the slots that are linked in it, one at most.
type robustList struct {
	next    atomic.Uintptr
	offset  int
	pending atomic.Uintptr
}

// register makes l the robust list of this thread and returns the one that it
// had.
func (l *robustList) register() (old, size uintptr, err error) {
	if _, _, errno := unix.RawSyscall(unix.SYS_GET_ROBUST_LIST, 0, uintptr(unsafe.Pointer(&old)), uintptr(unsafe.Pointer(&size))); errno != 0 {
		return 0, 0, errno
	}
	l.offset = int(unsafe.Offsetof(slot{}.owner) - unsafe.Offsetof(slot{}.next))
	l.next.Store(l.end())
	return old, size, restore(uintptr(unsafe.Pointer(l)), unsafe.Sizeof(*l))
}

// restore makes head the robust list of this thread.
func restore(head, size uintptr) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, head, size, 0); errno != 0 {
		return errno
	}
	return nil
}

// end is the link that ends the list.
func (l *robustList) end() uintptr { return uintptr(unsafe.Pointer(l)) }

// link puts the slot into the list, before its owner is set.
func (l *robustList) link(s *slot) {
	s.next.Store(uint64(l.end()))
	l.next.Store(uintptr(unsafe.Pointer(&s.next)))
}

// unlinking has the kernel wake a sleeper if the thread dies before unlinked.
func (l *robustList) unlinking(s *slot) { l.pending.Store(uintptr(unsafe.Pointer(&s.next))) }

func (l *robustList) unlink() { l.next.Store(l.end()) }

func (l *robustList) unlinked() { l.pending.Store(0) }
