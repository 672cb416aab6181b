//go:build linux

package conformance

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/scratch"
)

// A fixture is a barrier and a process of the port. Its methods do nothing
// after the first error, which stays in err.
type fixture struct {
	*setup
	port *port.Port
	gate *gate // nil: none
}

// A setup is a barrier with names of its own, and the first error of the
// fixtures that share it.
type setup struct {
	subject   *subject
	files     *scratch.Scratch
	lockPath  string
	segment   string // its name
	barrier   *impl.Barrier
	shm       *os.File // the segment, open for writing; nil: not yet
	elsewhere string   // a file that a check has made outside of the directory
	opensAs   string   // the name that the port opens in place of segment
	err       error
}

// fixture creates a barrier and starts the port, which has not opened it yet.
// The caller must close the fixture.
func (s *subject) fixture() *fixture {
	f := s.barrierOf()
	f.start()
	return f
}

// barrierOf is fixture without a process of the port.
func (s *subject) barrierOf() *fixture {
	f := &fixture{setup: &setup{subject: s}}
	f.try(func() (err error) {
		f.files, err = scratch.Make("", "conformance")
		return err
	})
	f.try(func() (err error) {
		// A path may have spaces, and characters that are not ASCII.
		f.lockPath, f.segment = filepath.Join(f.files.Dir, "the löck"), f.files.Segment
		f.barrier, err = impl.Create(f.segment, f.lockPath)
		return err
	})
	return f
}

// peer is a fixture with another process of the port at the same barrier. The
// caller must kill it, before it closes f.
func (f *fixture) peer() *fixture {
	peer := &fixture{setup: f.setup}
	peer.start()
	return peer
}

func (f *fixture) start() {
	f.try(func() (err error) {
		f.port, err = f.subject.start()
		return err
	})
}

// opened is fixture with a port that has opened the barrier.
func (s *subject) opened() *fixture {
	f := s.fixture()
	f.ask(f.open(), port.Opened)
	return f
}

// waiting is opened with a port that waits for its peer in a call of 2.
func (s *subject) waiting() *fixture {
	f := s.opened()
	f.send("call 2")
	f.awaitCounted()
	return f
}

// kill kills the port, if it is there.
func (f *fixture) kill() {
	if f.port != nil {
		f.port.Kill()
	}
}

// close kills the port and removes the barrier.
func (f *fixture) close() {
	f.kill()
	if f.gate != nil {
		close(f.gate.closed)
	}
	if f.shm != nil {
		f.shm.Close()
	}
	if f.barrier != nil {
		f.barrier.Close()
	}
	if f.files != nil {
		f.files.Close()
	}
}

// try calls do, unless there was an error, and keeps its error.
func (f *fixture) try(do func() error) {
	if f.err == nil {
		f.err = do()
	}
}

// errorf returns the error of f, wrapped.
func (f *fixture) errorf(format string, args ...any) error {
	if f.err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, f.err)...)
}

// open is the request to open the barrier.
func (f *fixture) open() string { return "open " + f.segment + " " + f.lockPath }

// send sends a request.
func (f *fixture) send(request string) {
	f.try(func() error { return f.port.Send(request) })
}

// receive returns the next answer.
func (f *fixture) receive() (answer string) {
	f.try(func() (err error) {
		answer, err = f.port.Receive()
		return err
	})
	return answer
}

// ask sends a request and receives the answer, which must be want; "error"
// stands for any failure.
func (f *fixture) ask(request, want string) {
	f.send(request)
	f.expect(request, want)
}

// expect receives the answer to the request, as ask does.
func (f *fixture) expect(request, want string) {
	f.try(func() error {
		got, err := f.port.Receive()
		if err != nil {
			return fmt.Errorf("%q did not come: %w", want, err)
		}
		if _, failed := port.Failure(got); got != want && !(failed && want == "error") {
			return finding("PORTS.md, section 2", "it answers %.80q with %.300q, want %q", request, got, want)
		}
		return nil
	})
}

// openWhite puts the port into white-box mode and has it open the barrier, by
// the steps of its construction if it constructs.
func (f *fixture) openWhite() {
	f.ask("white", port.OK)
	answer := f.lead(f.open(), func(spec.Step) {})
	f.try(func() error {
		if answer != port.Opened {
			return finding("PORTS.md, section 3", "it answers open with %.300q, want %q", answer, port.Opened)
		}
		return nil
	})
}

// lead sends a request to a white-box port, and lets it go on after each step
// that it announces, once at was called with the step. It returns the first
// answer that announces none.
func (f *fixture) lead(request string, at func(spec.Step)) (answer string) {
	for {
		f.send(request)
		answer = f.receive()
		step, does := port.Announced(answer)
		if !does {
			return answer
		}
		at(step)
		request = "go"
	}
}

// steps sends a request, which must lead the call of a white-box port to the
// first of the steps, and go for each of the others.
func (f *fixture) steps(request string, steps ...spec.Step) {
	for _, s := range steps {
		f.ask(request, port.At(s))
		request = "go"
	}
}

// path is the path of the segment.
func (f *fixture) path() string { return "/dev/shm/" + f.segment }

// set leaves v in a word and wakes no process.
func (f *fixture) set(word spec.Word, v int32) {
	f.try(func() (err error) {
		if f.shm == nil {
			if f.shm, err = os.OpenFile(f.path(), os.O_RDWR, 0); err != nil {
				return err
			}
		}
		_, err = f.shm.WriteAt(binary.NativeEndian.AppendUint32(nil, uint32(v)), int64(word.Offset()))
		return err
	})
}

// change writes the words that differ.
func (f *fixture) change(from, to spec.Words) {
	if from.Enter != to.Enter {
		f.set(spec.Enter, to.Enter)
	}
	if from.Exit != to.Exit {
		f.set(spec.Exit, to.Exit)
	}
	if from.Flag != to.Flag {
		f.set(spec.Flag, to.Flag)
	}
}

// setAll leaves w in the words.
func (f *fixture) setAll(w spec.Words) {
	f.set(spec.Enter, w.Enter)
	f.set(spec.Exit, w.Exit)
	f.set(spec.Flag, w.Flag)
}

// words returns the words.
func (f *fixture) words() (w spec.Words) {
	f.try(func() (err error) {
		w, err = f.barrier.Words()
		return err
	})
	return w
}

// expectWords fails unless the words are want.
func (f *fixture) expectWords(want spec.Words) {
	got := f.words()
	f.try(func() error {
		if got != want {
			return finding("PROTOCOL.md, section 4", "the words are %v, want %v", got, want)
		}
		return nil
	})
}

// patience is the time that the port has for its next move.
func (f *fixture) patience() *port.Patience { return f.port.Patience(f.subject.Limit) }

// awaitCounted waits until the port, which calls, is the only one counted. An
// answer in place of that is a mistake.
func (f *fixture) awaitCounted() {
	f.await(func(w spec.Words) bool { return w.Enter == 1 }, "it has not counted itself")
}

// await waits until the words are right, and fails with what it waited for.
func (f *fixture) await(right func(spec.Words) bool, late string) {
	if f.err != nil {
		return
	}
	for left := f.patience(); f.err == nil && !right(f.words()); {
		f.try(func() error {
			answer, came, err := f.port.TryReceive()
			switch {
			case err != nil:
				return err
			case came:
				return finding("PORTS.md, section 2", "%s and answers %.300q; the words are %v", late, answer, f.words())
			case left.Spent():
				return finding("PROTOCOL.md, section 4", "%s after %v; the words are %v", late, f.subject.Limit, f.words())
			}
			return f.subject.ctx.Err()
		})
		time.Sleep(100 * time.Microsecond) // until the next look
	}
}
