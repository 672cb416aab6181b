//go:build linux

package port

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
	"unicode/utf8"
)

// maxLine is the longest line that a port may write, in bytes without the
// newline: far longer than any answer, and short enough to be quoted.
const maxLine = 4096

// What can be wrong with a line before anyone has looked at what it says.
var (
	errTooLong   = errors.New("the line is longer than 4096 bytes")
	errCut       = errors.New("the output ends within the line")
	errNotText   = errors.New("the line is not UTF-8 text")
	errInTheSame = errors.New("a second line where one was asked for")
)

// lines reads the lines of a pipe, each with a time limit.
type lines struct {
	pipe   *os.File
	buffer [maxLine + 1]byte
	filled int // bytes of the buffer that were read
	number int // of the last line, counted from 1
}

// next returns the next line without its newline. deadline zero: none. The
// bytes are valid until the call after. At the end of the output the error is
// io.EOF, at the deadline os.ErrDeadlineExceeded; with any other error comes what
// there is of the offending line.
func (l *lines) next(deadline time.Time) ([]byte, error) {
	if err := l.pipe.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	for {
		if l.filled == len(l.buffer) {
			l.number++
			return l.buffer[:], errTooLong
		}
		n, err := l.pipe.Read(l.buffer[l.filled:])
		l.filled += n
		read := l.buffer[:l.filled]
		switch end := bytes.IndexByte(read, '\n'); {
		case end >= 0 && end < len(read)-1:
			l.number += 2
			return read[end+1:], errInTheSame
		case end >= 0:
			l.number++
			l.filled = 0
			return checked(read[:end])
		case errors.Is(err, io.EOF) && len(read) > 0:
			l.number++
			return read, errCut
		case err != nil:
			return nil, err
		}
	}
}

func checked(line []byte) ([]byte, error) {
	if !utf8.Valid(line) {
		return line, errNotText
	}
	return line, nil
}
