//go:build linux

package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
)

// attaching has the port open segments that are in use, in each phase of a
// round, and files that are no segments.
func attaching(s *subject) (string, error) {
	inUse := []spec.Words{
		{Enter: 0, Exit: 2, Flag: spec.Up}, {Enter: 1, Exit: 2, Flag: spec.Down}, {Enter: 0, Exit: 1, Flag: spec.Up},
		{Enter: 0, Exit: 0, Flag: spec.Up}, {Enter: 2, Exit: 3, Flag: spec.Down},
	}
	constructs, err := constructsOn(s, inUse)
	if err != nil {
		return "", err
	}
	if err := otherFiles(s); err != nil {
		return "", err
	}
	if constructs {
		return "", notAsked{NotApplicable, "it constructs on opening"}
	}
	if err := writesBack(s); err != nil {
		return "", err
	}
	err = s.each(len(spoilt), func(i int) error {
		if err := refusesOpen(s, spoilt[i].spoil); err != nil {
			return fmt.Errorf("a segment that %s: %w", spoilt[i].what, err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if err := otherNames(s); err != nil {
		return "", err
	}
	for _, words := range []int64{0, spec.Size} {
		if err := waitsForMaker(s, words); err != nil {
			return "", fmt.Errorf("a segment of %d bytes, all zero, whose maker is at work: %w", words, err)
		}
	}
	return "it writes nothing, and refuses a file that is no segment", nil
}

// constructsOn has the port open segments with the words, in each mode that it
// has. It reports whether the port constructs on opening, which it must do for
// all of them or for none.
func constructsOn(s *subject, inUse []spec.Words) (constructs bool, err error) {
	modes := 1
	if s.can.White {
		modes = 2
	}
	after := make([]spec.Words, modes*len(inUse))
	err = s.each(len(after), func(i int) (err error) {
		after[i], err = opening(s, i%modes == 1, inUse[i/modes])
		return err
	})
	if err != nil {
		return false, err
	}
	constructs = after[0] == spec.Initial
	for i, words := range after {
		used := inUse[i/modes]
		switch {
		case i%modes == 1 && (words == spec.Initial) != constructs:
			return false, finding("PORTS.md, section 2: modes", "it opens in white-box mode in another way than in black-box mode: it constructs in one of them only, or leaves %v where %v was", words, used)
		case words != spec.Initial && words != used:
			return false, finding("PROTOCOL.md, section 6", "on opening it leaves %v where %v was", words, used)
		case (words == spec.Initial) != constructs:
			return false, finding("PROTOCOL.md, section 6", "it constructs on opening in some states of the words only: it leaves %v where %v was", words, used)
		}
	}
	return constructs, nil
}

// spoilt are segments that a port must refuse.
var spoilt = []struct {
	what  string
	spoil func(*fixture) error
}{
	{"is missing", func(f *fixture) error { return os.Remove(f.path()) }},
	{"has 4 bytes", func(f *fixture) error { return os.Truncate(f.path(), 4) }},
	{"has 11 bytes", func(f *fixture) error { return os.Truncate(f.path(), 11) }},
	{"has 13 bytes", func(f *fixture) error { return os.Truncate(f.path(), 13) }},
	{"has 16 bytes", func(f *fixture) error { return os.Truncate(f.path(), 16) }},
	{"has 24 bytes", func(f *fixture) error { return os.Truncate(f.path(), 24) }},
	{"has 4096 bytes", func(f *fixture) error { return os.Truncate(f.path(), 4096) }},
	{"has enter -1", func(f *fixture) error { f.set(spec.Enter, -1); return f.err }},
	{"has exit -2", func(f *fixture) error { f.set(spec.Exit, -2); return f.err }},
	{"has flag 2", func(f *fixture) error { f.set(spec.Flag, 2); return f.err }},
}

// opening has the port open a segment with the words, and returns what they are
// then.
func opening(s *subject, white bool, used spec.Words) (spec.Words, error) {
	f := s.fixture()
	defer f.close()
	f.setAll(used)
	if !white {
		f.try(func() error { return os.Chmod(f.path(), 0o640) })
		f.ask(f.open(), port.Opened)
		f.try(func() error {
			info, err := os.Lstat(f.path())
			if err == nil && info.Mode().Perm() != 0o640 {
				err = finding("PROTOCOL.md, section 6", "on opening it makes the mode %v of the segment's mode -rw-r-----", info.Mode())
			}
			return err
		})
		return f.words(), f.err
	}
	f.ask("white", port.OK)
	var made []string
	answer := f.lead(f.open(), func(step spec.Step) { made = append(made, step.String()) })
	words := f.words()
	f.try(func() error {
		switch steps := strings.Join(made, " "); {
		case answer != port.Opened:
			return finding("PORTS.md, section 2", "it answers open with %.300q, want %q", answer, port.Opened)
		case steps == "" && words != used:
			return finding("PORTS.md, section 3", "on opening in white-box mode it makes the words %v of %v, and announces no step of a construction", words, used)
		case steps != "" && steps != "MakeEnter MakeExit MakeFlag":
			return finding("PROTOCOL.md, section 6", "it constructs by the steps %q", steps)
		}
		return nil
	})
	return words, f.err
}

// writesBack has the port open a segment whose words change all the time, much
// faster than a port reads a word and writes it back. Each must stay as the
// runner has left it.
func writesBack(s *subject) error {
	list := []spec.Word{spec.Enter, spec.Exit, spec.Flag}
	if s.startup < 200*time.Millisecond {
		list = slices.Repeat(list, 3)
	}
	for i, word := range list {
		f := s.fixture()
		err := f.racesOpen(word, i >= len(list)*2/3)
		f.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// racesOpen changes a word as long as the port opens the segment: as fast as it
// can, or each time that it has stopped the port for a moment, which works where
// it does not get a processor at the right time.
func (f *fixture) racesOpen(word spec.Word, stops bool) error {
	least, most := int32(1), int32(1<<19)
	if word == spec.Flag {
		least, most = 0, 2
	}
	f.setAll(spec.Words{Enter: 1, Exit: 1 << 20, Flag: spec.Down})
	f.set(word, least)
	var segment []byte
	f.try(func() (err error) {
		segment, err = unix.Mmap(int(f.shm.Fd()), 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	})
	if f.err != nil {
		return f.err
	}
	defer unix.Munmap(segment)
	at := atomicWord(segment, word)
	opened := make(chan bool)
	go func() {
		defer close(opened)
		f.ask(f.open(), port.Opened)
	}()
	mine, undone := least, false
	for going := true; going && !undone; {
		select {
		case <-opened:
			going = false
		default:
		}
		times := 1000
		if stops {
			times = 1
			f.port.Stop() // it does not go on before Continue
		}
		for range times {
			undone = undone || at.Load() != mine
			mine = least + (mine-least+1)%(most-least)
			at.Store(mine)
			for range 20 { // mostly it looks
				undone = undone || at.Load() != mine
			}
		}
		if stops {
			f.port.Continue()
			time.Sleep(50 * time.Microsecond)
		}
	}
	<-opened
	if f.err == nil && undone {
		return finding("PROTOCOL.md, section 6", "it writes on opening: a peer's write of %v is undone meanwhile", word)
	}
	return f.err
}

func (f *fixture) tryAnswer() (answer string, came bool) {
	f.try(func() (err error) {
		answer, came, err = f.port.TryReceive()
		return err
	})
	return answer, came
}

// waitsForMaker has the port open a segment that is not complete. It may wait,
// or answer with an error, but it must not touch it. The maker then completes
// it. Looks at which the port was about to do something do not count, for it may
// get no processor.
func waitsForMaker(s *subject, size int64) error {
	f := s.fixture()
	defer f.close()
	f.try(func() error { return errors.Join(os.Truncate(f.path(), 0), os.Truncate(f.path(), size)) })
	f.send(f.open())
	answered := ""
	threads, left := threadsOf{f.port}, f.port.Patience(2*time.Second)
	for rested := 0; f.err == nil && rested < 40 && !left.Spent(); time.Sleep(time.Millisecond) {
		if answer, came := f.tryAnswer(); came {
			answered = answer
		}
		bytes, err := os.ReadFile(f.path())
		f.try(func() error { return err })
		if f.err == nil && string(bytes) != string(make([]byte, size)) {
			return finding("PROTOCOL.md, section 6", "it sizes or constructs what its maker is about to: its bytes are %v", bytes)
		}
		if answered != "" {
			break
		}
		if !awake(threads.efforts()) {
			rested++
		}
	}
	if answered == port.Opened {
		return finding("PROTOCOL.md, section 2", "it opens it before its words are in place")
	}
	used := spec.Words{Enter: 0, Exit: 2, Flag: spec.Up}
	f.try(func() error { return os.Truncate(f.path(), spec.Size) })
	f.setAll(used)
	if answered == "" {
		f.receive() // opened, or an error of a port that does not wait any more
	}
	if words := f.words(); f.err == nil && words != used {
		return finding("PROTOCOL.md, section 6", "it constructs when its maker has: the words are %v, want %v", words, used)
	}
	return f.err
}

// otherFiles has the port open what must not be opened: names that no segment
// has, and files that are not regular.
func otherFiles(s *subject) error {
	others := []struct {
		what, clause string
		name         func(f *fixture) (string, error)
	}{
		{"a name with slashes that leads to another segment", "PROTOCOL.md, section 2", func(f *fixture) (string, error) {
			f.elsewhere = f.path() + "-elsewhere" // a temporary folder may have a space in its name
			return "../shm/" + filepath.Base(f.elsewhere), os.WriteFile(f.elsewhere, initialBytes(), 0o600)
		}},
		{"the name ..", "PROTOCOL.md, section 2", func(*fixture) (string, error) { return "..", nil }},
		{"a name of 256 bytes", "PROTOCOL.md, section 2", func(*fixture) (string, error) { return strings.Repeat("n", 256), nil }},
		{"a symbolic link to a segment", "PROTOCOL.md, section 2", func(f *fixture) (string, error) {
			f.elsewhere = f.path() + "-target"
			return f.segment, errors.Join(os.Rename(f.path(), f.elsewhere), os.Symlink(f.elsewhere, f.path()))
		}},
		{"a directory", "PROTOCOL.md, section 2", func(f *fixture) (string, error) {
			return f.segment, errors.Join(os.Remove(f.path()), os.Mkdir(f.path(), 0o700))
		}},
	}
	return s.each(len(others), func(i int) error {
		bad := others[i]
		f := s.fixture()
		f.try(func() error {
			name, err := bad.name(f)
			f.opensAs = name
			return err
		})
		var before, after []byte
		if f.elsewhere != "" {
			before, _ = os.ReadFile(f.elsewhere)
		}
		f.send("open " + f.opensAs + " " + f.lockPath)
		answer := f.receive()
		f.try(func() error {
			if _, failed := port.Failure(answer); !failed {
				return finding(bad.clause, "it opens %s: it answers %.300q, want an error", bad.what, answer)
			}
			return nil
		})
		if f.elsewhere != "" {
			after, _ = os.ReadFile(f.elsewhere)
			f.try(func() error {
				if string(before) != string(after) {
					return finding(bad.clause, "it refuses %s, and has written to it", bad.what)
				}
				return nil
			})
		}
		f.close()
		return f.err
	})
}

// otherNames has the port open segments whose names a port may cut or change.
func otherNames(s *subject) error {
	endings := []string{strings.Repeat("n", 255), ".%41-ü'\"\\$HOME~*"} // the first makes a name of 255 bytes
	return s.each(len(endings), func(i int) error {
		f := s.fixture()
		defer f.close() // removes what begins with the name of the segment
		f.try(func() error {
			name := (f.segment + endings[i])[:min(255, len(f.segment)+len(endings[i]))]
			f.opensAs = name
			return os.Link(f.path(), "/dev/shm/"+name)
		})
		f.ask("open "+f.opensAs+" "+f.lockPath, port.Opened)
		f.setAll(spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
		f.ask("call 2", port.Returned)
		f.expectWords(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
		return f.errorf("with a segment that is called %q", f.opensAs)
	})
}

// initialBytes is a segment with its initial words.
func initialBytes() (b []byte) {
	for _, v := range []int32{spec.Initial.Enter, spec.Initial.Exit, spec.Initial.Flag} {
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// refusesOpen has the port open a segment that was spoilt. It must refuse that
// and leave the segment as it is.
func refusesOpen(s *subject, spoil func(*fixture) error) error {
	f := s.fixture()
	defer f.close()
	f.try(func() error { return spoil(f) })
	before, missing := os.ReadFile(f.path())
	f.ask(f.open(), "error")
	after, err := os.ReadFile(f.path())
	if f.err == nil && (missing != nil && !errors.Is(err, fs.ErrNotExist) || string(after) != string(before)) {
		return finding("PROTOCOL.md, section 6", "its bytes were %v (%v), and are %v (%v)", before, missing, after, err)
	}
	f.try(func() error { return os.WriteFile(f.path(), initialBytes(), 0o600) })
	f.ask(f.open(), port.Opened)
	return f.errorf("after an open that failed, and now there is a right segment")
}

// outOfRange has the port call with words that are out of range. A port that
// calls with all of them checks nothing, as the original; one that refuses only
// some of them is wrong.
func outOfRange(s *subject) (string, error) {
	var refused, taken []string
	// A call of 1 that checks nothing returns from each of these.
	for _, w := range []spec.Words{
		{Enter: 2, Exit: spec.NotSet, Flag: spec.Up}, {Enter: -1, Exit: spec.NotSet, Flag: spec.Up},
		{Enter: 1, Exit: 2, Flag: spec.Up}, {Enter: 1, Exit: -2, Flag: spec.Up},
	} {
		switch refuses, err := refusesCall(s, w); {
		case err != nil:
			return "", fmt.Errorf("a call of 1 with %v: %w", w, err)
		case refuses:
			refused = append(refused, w.String())
		default:
			taken = append(taken, w.String())
		}
	}
	switch {
	case len(refused) == 0:
		return "", notAsked{NotApplicable, "it checks no words"}
	case len(taken) > 0:
		return "", finding("PROTOCOL.md, section 9", "it refuses %s, and calls with %s", strings.Join(refused, " and "), strings.Join(taken, " and "))
	}
	return "refused", nil
}

// refusesCall reports whether the port refuses a call with the words. If it
// does it must leave the lock free and the words as they are.
func refusesCall(s *subject, w spec.Words) (bool, error) {
	f := s.opened()
	defer f.close()
	f.setAll(w)
	f.send("call 1")
	if _, failed := port.Failure(f.receive()); !failed {
		return false, f.err
	}
	f.try(func() error {
		free, err := lockprobe.NewProbe(f.lockPath).Free()
		if err == nil && !free {
			err = finding("PROTOCOL.md, section 9", "it refuses, and keeps the lock")
		}
		return err
	})
	if w.Exit == spec.NotSet && f.words().Exit == 1 {
		w.Exit = 1 // it refused at TestFirst, after InitExit
	}
	f.expectWords(w)
	return true, f.err
}
