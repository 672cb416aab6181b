//go:build linux

package port

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// maxLine is the length of the longest line that a port may write, in bytes
// without the newline. It is far longer than any answer.
const maxLine = 4096

// What can be wrong with a line as such.
var (
	errTooLong  = errors.New("the line is longer than 4096 bytes")
	errCut      = errors.New("the output ends within the line")
	errNotText  = errors.New("the line is not UTF-8 text")
	errTwoLines = errors.New("a second line where one was asked for")
)

// lines reads the lines of a pipe, each with a time limit.
type lines struct {
	pipe   *os.File
	gone   <-chan struct{} // closed when the process has ended
	buffer [maxLine + 1]byte
	filled int // bytes of the buffer that were read
	number int // of the last line, counted from 1
}

// next returns the next line without its newline. The zero deadline is none. The
// bytes are valid until the next call. At the end of the output the error is
// io.EOF, at the deadline os.ErrDeadlineExceeded; any other error comes with what
// was read of the wrong line.
func (l *lines) next(deadline time.Time) ([]byte, error) {
	if err := l.pipe.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	for {
		if l.filled == len(l.buffer) {
			l.number++
			return l.buffer[:], errTooLong
		}
		n, err := l.read(l.buffer[l.filled:])
		l.filled += n
		read := l.buffer[:l.filled]
		switch end := bytes.IndexByte(read, '\n'); {
		case end >= 0 && end < len(read)-1:
			l.number += 2
			return bytes.TrimSuffix(read[end+1:], []byte("\n")), errTwoLines
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

// read reads some of the output. Once the process has ended it does not wait for
// more, since a child of the port may hold the other end of the pipe open.
func (l *lines) read(buffer []byte) (int, error) {
	if !l.ended() {
		if n, err := l.pipe.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) || !l.ended() {
			return n, err
		}
	}
	return l.rest(buffer)
}

func (l *lines) ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// rest reads the rest of the pipe without waiting for more.
func (l *lines) rest(buffer []byte) (n int, err error) {
	conn, err := l.pipe.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), buffer) }) // os.Pipe makes it non-blocking
	}
	if err == nil && n <= 0 {
		err = io.EOF
	}
	return max(0, n), err
}

func checked(line []byte) ([]byte, error) {
	if !utf8.Valid(line) {
		return line, errNotText
	}
	return line, nil
}
