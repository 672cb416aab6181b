//go:build linux

package lockprobe

import (
	"strings"
	"testing"
)

// FuzzLocks: a process that is read from a list of locks is in the list, in a
// line of an flock of the file, and a descriptor has a lock only if its fdinfo
// says FLOCK.
func FuzzLocks(f *testing.F) {
	const inode = "00:1b:815"
	for _, text := range []string{
		"", "1: FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF\n", "1: -> FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF\n",
		"1: POSIX  ADVISORY  WRITE 4711 00:1b:815 0 EOF\n2: OFDLCK ADVISORY READ -1 00:1b:815 0 EOF\n",
		"1: FLOCK ADVISORY WRITE -1 00:1b:815 0 EOF", "1: FLOCK ADVISORY WRITE 99999999999999999999 00:1b:815", "1: FLOCK ADVISORY WRITE  00:1b:815 0",
		"1: FLOCK ADVISORY WRITE 0 00:1b:815 0 EOF", "pos:\t0\nflags:\t02100000\nlock:\t1: FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF\n",
		"lock:", "lock: 1:", "lock:\tFLOCK", strings.Repeat("x", 70000) + "\n1: FLOCK ADVISORY WRITE 1 00:1b:815 0 EOF", "\x00\xff: FLOCK\r\n\v",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ended := false
		for e, err := range entriesIn(strings.NewReader(text), inode) {
			if ended {
				t.Errorf("entriesIn(%q): %v, %v after an error", text, e, err)
			}
			ended = err != nil
			if !ended && (!strings.Contains(text, inode) || !strings.Contains(text, "FLOCK") || e.waits && !strings.Contains(text, "->")) {
				t.Errorf("entriesIn(%q): got %v, which is not there", text, e)
			}
		}
		if hasLock(text) && !(strings.Contains(text, "lock:") && strings.Contains(text, "FLOCK")) {
			t.Errorf("hasLock(%q)", text)
		}
	})
}
