//go:build linux

package port

import (
	"errors"
	"fmt"
	"strings"
)

// What a port did wrong; each is wrapped in an *Error.
var (
	// ErrNonsense: the port wrote a line that does not answer the request.
	ErrNonsense = errors.New("nonsense")
	// ErrFailed: the port answered "error".
	ErrFailed = errors.New("failed")
	// ErrDied: the port ended without a request to do so.
	ErrDied = errors.New("died")
	// ErrSilent: the port gave no answer within its limit.
	ErrSilent = errors.New("no answer")
)

// An Error says what a port did wrong, and where in its output.
type Error struct {
	Port    string // name of the port
	PID     int    // its process; 0: it did not start
	Request string // the request that it answered wrongly or not at all; empty: its first line was awaited
	Number  int    // number of the wrong or missing line, counted from 1
	Line    string // the wrong line; empty: none came
	Kind    error  // one of the errors above, or the system's
	Detail  string // what is wrong, or how the port ended
	Stderr  string // the end of its standard error
}

// Error describes the error in one line.
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
		fmt.Fprintf(&b, ", in answer to %s", quote(e.Request))
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	return b.String() + Said(e.Stderr)
}

// Said is the end of a message about a port that has written stderr on its
// standard error; empty if it has written nothing.
func Said(stderr string) string {
	if stderr == "" {
		return ""
	}
	return "; its standard error ends with " + quote(stderr)
}

// came reports whether Line is the wrong line.
func (e *Error) came() bool { return e.Kind == ErrNonsense || e.Kind == ErrFailed }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// quote quotes the beginning of text, as much as fits on a line.
func quote(text string) string {
	const most = 300
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
