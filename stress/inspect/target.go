//go:build linux

package inspect

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
)

// A Target names a barrier. Both names may lead into the mounts of another
// process: /proc/PID/root/dev/shm/NAME.
type Target struct {
	Segment  string // name in /dev/shm, or a path if it has a slash
	LockPath string
}

const shm = "/dev/shm/"

// SegmentPath returns the path of the segment.
func (t Target) SegmentPath() string {
	if strings.Contains(t.Segment, "/") {
		return t.Segment
	}
	return shm + t.Segment
}

// ErrNoBarrier is the error for a segment that is missing or is none.
var ErrNoBarrier = errors.New("no barrier")

// A segment is the open file of the words. It is read and never mapped: another
// process may shorten it, which kills those that read a mapping.
type segment struct {
	path  string
	names []string // by which processes may have it mapped
	file  *os.File
	inode fileuse.Inode
}

// openSegment opens the segment read-only. If it has no name any more, but
// processes have it mapped, it is the one that most have. It fails with
// ErrNoBarrier, which says what is there, or with the error of the system.
func openSegment(path string) (*segment, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if unlinked := openUnlinked(path); unlinked != nil {
			file, err = unlinked, nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w at %s: there is no such file; ls /dev/shm lists the segments", ErrNoBarrier, path)
	case errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("%w at %s: it is a symbolic link; give the file itself", ErrNoBarrier, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; run as its owner or as root", err)
	case err != nil:
		return nil, err
	}
	s := &segment{path: path, names: namesOf(path), file: file}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		file.Close()
		return nil, &fs.PathError{Op: "fstat", Path: path, Err: err}
	}
	s.inode = fileuse.InodeOf(&stat)
	switch {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		err = fmt.Errorf("%w at %s: it is no regular file", ErrNoBarrier, path)
	case stat.Size != spec.Size:
		err = s.wrongSize(stat.Size)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return s, nil
}

// openUnlinked opens the file that most processes have mapped under the path
// although its name is gone; nil: there is none, or it may not be opened.
func openUnlinked(path string) *os.File {
	all, err := procfs.AllProcs()
	device, ok := deviceOf(path)
	if err != nil || !ok {
		return nil
	}
	names := namesOf(path)
	count, open := map[fileuse.Inode]int{}, map[fileuse.Inode]string{}
	for _, p := range all {
		mappings, _ := fileuse.Mappings(p.PID)
		for _, m := range mappings {
			if !m.Gone || m.Dev != device || !slices.Contains(names, m.Path) {
				continue
			}
			count[m.Inode]++
			if open[m.Inode] == "" {
				open[m.Inode] = cmp.Or(fileuse.Descriptor(p.PID, m.Inode), m.Link)
			}
			break
		}
	}
	var best *os.File
	most := 0
	for is, n := range count {
		if file, err := os.Open(open[is]); err == nil && n > most {
			best.Close() // of nil: nothing
			best, most = file, n
		} else if err == nil {
			file.Close()
		}
	}
	return best
}

// deviceOf returns the device of the folder of the file. Files of the same name
// in other containers are on other devices.
func deviceOf(path string) (device uint64, ok bool) {
	var folder unix.Stat_t
	err := unix.Stat(filepath.Dir(path), &folder)
	return uint64(folder.Dev), err == nil
}

// wrongSize returns the error for a file that has not the size of a barrier. If
// processes have it mapped, it may have been one.
func (s *segment) wrongSize(size int64) error {
	err := fmt.Errorf("%w at %s: it has %d bytes, and a barrier has %d", ErrNoBarrier, s.path, size, spec.Size)
	var pids []int
	all, _ := procfs.AllProcs()
	for _, p := range all {
		mappings, _ := fileuse.Mappings(p.PID)
		if slices.ContainsFunc(mappings, func(m fileuse.Mapping) bool { return m.Inode == s.inode }) {
			pids = append(pids, p.PID)
		}
	}
	if len(pids) == 0 {
		return err
	}
	return fmt.Errorf("%w; if it is one, something has changed its size: end all parties, and construct again (%s it mapped)", err, listed("process", pids, "has", "have"))
}

func (s *segment) close() error { return s.file.Close() }

// words reads the three words. They belong to one moment only if no process
// writes them meanwhile.
func (s *segment) words() (w spec.Words, err error) {
	var memory [spec.Size]byte
	switch n, err := s.file.ReadAt(memory[:], 0); {
	case err == io.EOF:
		return w, s.wrongSize(int64(n))
	case err != nil:
		return w, err
	}
	return WordsIn(memory), nil
}

// WordsIn returns the words that the content of a segment has.
func WordsIn(memory [spec.Size]byte) spec.Words {
	word := func(of spec.Word) int32 { return int32(binary.NativeEndian.Uint32(memory[of.Offset():])) }
	return spec.Words{Enter: word(spec.Enter), Exit: word(spec.Exit), Flag: word(spec.Flag)}
}

// named reports whether the path still names the file.
func (s *segment) named() bool {
	var now unix.Stat_t
	return unix.Lstat(s.path, &now) == nil && fileuse.InodeOf(&now) == s.inode
}
