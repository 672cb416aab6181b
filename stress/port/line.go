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

// next returns the next line without its newline. No limit waits without end.
// The bytes are valid until the next call. At the end of the output the error
// is io.EOF, when the limit is spent os.ErrDeadlineExceeded; any other error
// comes with what was read of the wrong line. What lies in the pipe is read
// before the limit counts.
func (l *lines) next(limit *Patience) ([]byte, error) {
	for {
		var deadline time.Time
		if limit != nil {
			deadline = time.Now().Add(slice / 2)
		}
		if err := l.pipe.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
		n, err := l.read(l.buffer[l.filled:])
		l.filled += n
		line, whole, wrong := l.take()
		switch read := l.buffer[:l.filled]; {
		case whole:
			return line, wrong
		case errors.Is(err, io.EOF) && len(read) > 0:
			l.number++
			return read, errCut
		case errors.Is(err, os.ErrDeadlineExceeded):
			if limit != nil && !limit.Spent() {
				continue
			}
			if n, _ := l.rest(l.buffer[l.filled:]); n > 0 {
				l.filled += n
				continue
			}
			return nil, err
		case err != nil:
			return nil, err
		}
	}
}

// take takes the line out of the buffer, if it has a whole one or one that is
// too long.
func (l *lines) take() (line []byte, whole bool, err error) {
	read := l.buffer[:l.filled]
	switch end := bytes.IndexByte(read, '\n'); {
	case end >= 0 && end < len(read)-1:
		l.number += 2
		return bytes.TrimSuffix(read[end+1:], []byte("\n")), true, errTwoLines
	case end >= 0:
		l.number++
		l.filled = 0
		line, err = checked(read[:end])
		return line, true, err
	case len(read) == len(l.buffer):
		l.number++
		return read, true, errTooLong
	}
	return nil, false, nil
}

// poll is next without waiting: whole is false if the next line is not there.
func (l *lines) poll() (line []byte, whole bool, err error) {
	ended := l.ended()
	n, _ := l.rest(l.buffer[l.filled:]) // an error of a pipe that is closed, as the port was killed
	l.filled += n
	switch line, whole, wrong := l.take(); {
	case whole:
		return line, true, wrong
	case n == 0 && ended:
		return nil, false, io.EOF
	default:
		return nil, false, nil
	}
}

// peek returns the next line, if it is there, and leaves it there.
func (l *lines) peek() (line string, whole bool) {
	n, _ := l.rest(l.buffer[l.filled:]) // poll says what is wrong
	l.filled += n
	read, _, whole := bytes.Cut(l.buffer[:l.filled], []byte("\n"))
	return string(read), whole
}

// read reads some of the output. Once the process has ended it does not wait
// for more, since a child of the port may hold the other end of the pipe open.
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
