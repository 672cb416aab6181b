//go:build linux

package trace

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// Words are the words of a barrier, to be read only.
type Words struct {
	file    *os.File
	mapping []byte // nil: read by system calls
}

// OpenWords opens the words of the segment with the name. A process that is no
// party does not map them, so that no one takes it for a party. OpenWords fails
// with the error of the system.
func OpenWords(segment string, mapped bool) (*Words, error) {
	file, err := os.OpenFile("/dev/shm/"+segment, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	w := &Words{file: file}
	if mapped {
		if w.mapping, err = unix.Mmap(int(file.Fd()), 0, spec.Size, unix.PROT_READ, unix.MAP_SHARED); err != nil {
			file.Close()
			return nil, fmt.Errorf("trace: map %s: %w", file.Name(), err)
		}
	}
	return w, nil
}

// Read reads the words one after the other. They are those of one moment if the
// caller holds the lock. The loads pair with all stores of all parties. Words
// that a peer has cut off are 0.
func (w *Words) Read() (words spec.Words) {
	if w.mapping == nil {
		var bytes [spec.Size]byte
		w.file.ReadAt(bytes[:], 0) // what it does not read is 0
		of := func(word spec.Word) int32 { return int32(binary.NativeEndian.Uint32(bytes[word.Offset():])) }
		return spec.Words{Enter: of(spec.Enter), Exit: of(spec.Exit), Flag: of(spec.Flag)}
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil && !w.IsFault(p) {
			panic(p)
		}
	}()
	return w.Load()
}

// Load is Read of mapped words in a third of the time. It panics if a peer has
// cut the words off, and the caller, who has called debug.SetPanicOnFault,
// recovers from an IsFault.
func (w *Words) Load() (words spec.Words) {
	mapped := (*[3]int32)(unsafe.Pointer(unsafe.SliceData(w.mapping)))
	words.Enter = atomic.LoadInt32(&mapped[spec.Enter])
	words.Exit = atomic.LoadInt32(&mapped[spec.Exit])
	words.Flag = atomic.LoadInt32(&mapped[spec.Flag])
	return words
}

// IsFault reports whether p is what Load panics with.
func (w *Words) IsFault(p any) bool {
	fault, ok := p.(interface{ Addr() uintptr })
	return ok && fault.Addr()-uintptr(unsafe.Pointer(unsafe.SliceData(w.mapping))) < spec.Size
}

// Close closes the words. Read must not be called afterwards.
func (w *Words) Close() error {
	if w.mapping != nil {
		if err := unix.Munmap(w.mapping); err != nil {
			return fmt.Errorf("trace: unmap %s: %w", w.file.Name(), err)
		}
	}
	return w.file.Close()
}
