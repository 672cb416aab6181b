//go:build linux

package procgroup

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// forkNoExec is the kernel's flag of a process that has not called exec since it
// was forked (PF_FORKNOEXEC of linux/sched.h).
const forkNoExec = 0x40

// A stat is what proc(5) says of a process in /proc/PID/stat, some of it.
type stat struct {
	state  string
	parent int
	flags  int
}

// statOf reads it; of a process that has ended too, until somebody waits for it.
func statOf(pid int) (s stat, err error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	// pid (name) state parent group session terminal its-group flags …: the name may
	// contain anything, so look after its end.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 7 {
		return s, fmt.Errorf("%s: %q is too short", path, text)
	}
	s.state = fields[0]
	if s.parent, err = strconv.Atoi(fields[1]); err == nil {
		s.flags, err = strconv.Atoi(fields[6])
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
