//go:build linux

package report

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"sharedbarrier/model/cli"
	"sharedbarrier/stress/run"
)

// A logbook is a file of printable lines, each with the time of day. Writing
// never fails; Close says whether all was written.
type logbook struct {
	file   *os.File
	logger *log.Logger
	mu     sync.Mutex
	failed error
}

func openLog(path string) (*logbook, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	b := &logbook{file: file}
	b.logger = log.New(b, "", log.Ltime|log.Lmicroseconds)
	return b, nil
}

// Write is for the logger.
func (b *logbook) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		_, b.failed = b.file.Write(text)
	}
	return len(text), nil
}

// Close closes the file. It returns the first error since openLog.
func (b *logbook) Close() error {
	if b.failed != nil {
		b.file.Close()
		return b.failed
	}
	return b.file.Close()
}

// lines returns a writer that logs each line that is written to it.
func (b *logbook) lines() io.Writer { return &lines{log: b} }

type lines struct {
	log *logbook
	cut []byte // the beginning of a line whose end has not come
}

func (l *lines) Write(text []byte) (int, error) {
	l.cut = append(l.cut, text...)
	for {
		line, rest, whole := bytes.Cut(l.cut, []byte("\n"))
		if !whole {
			return len(text), nil
		}
		l.log.add(string(line))
		l.cut = rest
	}
}

func (b *logbook) add(line string) {
	if line != "" {
		b.logger.Print(cli.Printable(line))
	}
}

// drain is how long a process that outlives the command can keep the log from
// being closed.
const drain = 10 * time.Second

// copy logs each line that processes write to the pipe, and passes it on to
// stderr, unless it is that of a port. It returns at the end of the pipe, of
// which the caller has closed its own end.
func (b *logbook) copy(pipe *os.File, stderr io.Writer) {
	defer pipe.Close()
	for from := bufio.NewReader(pipe); ; {
		line, err := from.ReadString('\n')
		if line != "" {
			b.add(strings.TrimSuffix(line, "\n"))
			if !strings.HasPrefix(line, run.PortSays) {
				fmt.Fprint(stderr, line)
			}
		}
		if err != nil {
			return
		}
	}
}
