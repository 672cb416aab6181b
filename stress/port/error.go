//go:build linux

package port

import (
	"errors"
	"fmt"
	"strings"
)

// What a port did wrong; each is wrapped in an *Error.
var (
	// ErrNonsense: a line that is no answer to what was asked.
	ErrNonsense = errors.New("nonsense")
	// ErrFailed: the port answered "error".
	ErrFailed = errors.New("failed")
	// ErrDied: the port ended without being asked to.
	ErrDied = errors.New("died")
	// ErrSilent: no answer came within the limit.
	ErrSilent = errors.New("no answer")
)

// An Error says what went wrong with a port, and where in its output.
type Error struct {
	Port    string // name of the port
	PID     int    // its process; 0: it did not start
	Request string // the request that was not answered as it should; empty: the hello
	Number  int    // number of the offending line, counted from 1, or of the one that did not come
	Line    string // the offending line; empty: none came
	Kind    error  // one of the errors above, or the system's
	Detail  string // what was wrong, or how the port ended
	Stderr  string // the last that it wrote to its standard error
}

// Error says all of it, on one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "port %s", e.Port)
	if e.PID != 0 {
		fmt.Fprintf(&b, " (pid %d)", e.PID)
	}
	fmt.Fprintf(&b, ": %v", e.Kind)
	switch {
	case e.came():
		fmt.Fprintf(&b, ": its line %d is %s", e.Number, quote(e.Line))
	case e.Number > 0:
		fmt.Fprintf(&b, ": its line %d did not come", e.Number)
	}
	if e.Request != "" {
		fmt.Fprintf(&b, ", in answer to %q", e.Request)
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.Stderr != "" {
		fmt.Fprintf(&b, "; its standard error ends with %s", quote(e.Stderr))
	}
	return b.String()
}

// came reports whether there is a line to blame.
func (e *Error) came() bool { return e.Kind == ErrNonsense || e.Kind == ErrFailed }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// quote quotes what a port wrote, as much of it as fits on a line.
func quote(text string) string {
	const most = 300
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
