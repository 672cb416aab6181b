//go:build linux

package conformance

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"sharedbarrier/stress/port"
)

// A mistake is what a port does wrong, and the clause that says so. Any other
// error is one of the environment, or of the runner: it accuses no port.
type mistake struct {
	clause string
	what   string
}

func (m *mistake) Error() string { return m.what + " (" + m.clause + ")" }

// finding returns a mistake.
func finding(clause, format string, args ...any) error {
	return &mistake{clause, fmt.Sprintf(format, args...)}
}

// accuses reports whether err says that the port is wrong.
func accuses(err error) bool {
	if errors.As(err, new(*mistake)) {
		return true
	}
	var wrong *port.Error
	if !errors.As(err, &wrong) {
		return false
	}
	for _, kind := range []error{port.ErrNonsense, port.ErrFailed, port.ErrDied, port.ErrSilent} {
		if errors.Is(wrong, kind) {
			return true
		}
	}
	return false
}

// ErrEnvironment is the error of a machine on which no port can be checked.
var ErrEnvironment = errors.New("this machine cannot check a port")

// control makes sure that the machine can do what the checks need, with the go
// port: processes, a segment, a lock file, and /proc of the own PID namespace.
// A port is accused only if the control passes after the accusation too.
func control(s *subject) error {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("%w: /proc is missing or is that of another PID namespace (%q, %v); mount the own one", ErrEnvironment, self, err)
	}
	if _, err := os.ReadFile("/proc/locks"); err != nil {
		return fmt.Errorf("%w: %w; mount all of /proc", ErrEnvironment, err)
	}
	right := *s
	right.Port, right.Limit = "go", max(s.Limit, port.Limit) // a short limit is for the port under check
	f := right.opened()
	defer f.close()
	f.ask("call 1", port.Returned)
	f.try(func() error { return os.WriteFile(f.files.Dir+"/full", make([]byte, 1<<16), 0o600) })
	if f.err != nil && s.ctx.Err() == nil {
		return fmt.Errorf("%w: even the go port fails; make room in /dev/shm and %s, or raise the limits of processes and files: %w", ErrEnvironment, os.TempDir(), f.err)
	}
	return s.ctx.Err()
}
