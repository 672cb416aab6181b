//go:build linux

package trace

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A journal is a file in which one worker keeps all of its records, each in a
// place. The worker maps the end of it, so that a record costs no system call,
// and is kept when the worker is killed.
type journal struct {
	file   *os.File
	mapped []byte  // the last chunk; nil: there is none
	places []place // of the chunk
	used   int     // of places
	offset int64   // of the next chunk

	last *place  // what was written last; nil: nothing
	what content // of last
}

// chunk is how much a journal grows at a time, in bytes: whole pages.
const chunk = 256 << 10

// NewJournal returns a file for Keep. It has no name, and is gone with the last
// process that has it. Its room is in the directory. NewJournal fails with the
// error of the system.
func NewJournal(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, ".sharedbarrier-trace-*")
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Keep has the track keep all of its records, in the empty file. From then on
// each step under the lock is a section of its own: their numbers have no gap.
// A worker that finds no room for a record keeps none after it, and goes on; see
// Recorder.Lost.
func (t *Track) Keep(file *os.File) {
	t.timed, t.journal = true, &journal{file: file}
}

// add keeps a record. It fails where there is no room for it.
func (j *journal) add(c content) error {
	if j.used == len(j.places) {
		if err := j.grow(); err != nil {
			return err
		}
	}
	j.last, j.what = &j.places[j.used], c
	j.used++
	j.write(c)
	return nil
}

// again replaces what was added last by the same step with more attempts. Of a
// poll, the number is then that of the last attempt, which is the step. An
// acquisition keeps the first one, at which the poll before it has ended.
func (j *journal) again(attempts uint32, number int64) {
	if j.last == nil {
		return
	}
	j.what.attempts = attempts
	if s, _ := j.what.what.step(); s.Lock() != spec.Acquire {
		j.what.number = number
	}
	j.write(j.what)
}

func (j *journal) write(c content) {
	j.last.write(c.position, uint64(c.number), uint64(c.at), uint64(c.round),
		pair(c.attempts, uint32(c.what)), pair(uint32(c.words.Enter), uint32(c.words.Exit)), pair(uint32(c.words.Flag), uint32(c.parties)))
}

// lose says that a journal has no record from the number on.
func (h *header) lose(number int64, err error) {
	why := syscall.EIO
	errors.As(err, &why)
	h.why.Store(int64(why))
	for {
		was := h.lost.Load()
		if was != 0 && was <= number || h.lost.CompareAndSwap(was, max(1, number)) {
			return
		}
	}
}

// Lost returns why a journal has not all records; nil: each has all.
func (r *Recorder) Lost() error {
	if r.header.lost.Load() == 0 {
		return nil
	}
	return syscall.Errno(r.header.why.Load())
}

// grow maps another chunk. It writes the zeros of an empty one, since a store
// into a mapped page that finds no room is a fault.
func (j *journal) grow() error {
	if _, err := j.file.WriteAt(make([]byte, chunk), j.offset); err != nil {
		return err
	}
	mapped, err := unix.Mmap(int(j.file.Fd()), j.offset, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	if j.mapped != nil {
		if err := unix.Munmap(j.mapped); err != nil {
			return err
		}
	}
	j.mapped, j.places, j.used = mapped, placesIn(mapped), 0
	j.offset += chunk
	return nil
}
