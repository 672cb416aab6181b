//go:build linux

package run

import (
	"bytes"
	"fmt"
	"io"
)

// PortSays begins each line that a worker writes on its standard error for its
// port. The number of the worker, a colon, and what the port has written there
// follow.
const PortSays = "standard error of the port of worker "

// An echo writes what a port writes as lines that begin with PortSays. It cuts
// a line that is too long for one write to a pipe, and leaves out what comes
// after the first megabyte: a port may write without end.
type echo struct {
	worker int
	out    io.Writer
	cut    []byte // the beginning of a line whose end has not come
	sum    int    // bytes
}

const (
	longestLine = 1000
	mostBytes   = 1 << 20
)

func (e *echo) Write(text []byte) (int, error) {
	if e.sum > mostBytes {
		return len(text), nil
	}
	if e.sum += len(text); e.sum > mostBytes {
		e.line([]byte("(the rest is left out)"))
		return len(text), nil
	}
	for e.cut = append(e.cut, text...); ; {
		line, rest, whole := bytes.Cut(e.cut, []byte("\n"))
		switch {
		case len(line) > longestLine:
			line, rest = e.cut[:longestLine], e.cut[longestLine:]
		case !whole:
			return len(text), nil
		}
		e.line(line)
		e.cut = rest
	}
}

func (e *echo) line(text []byte) {
	if len(text) > 0 {
		fmt.Fprintf(e.out, "%s%d: %s\n", PortSays, e.worker, text)
	}
}
