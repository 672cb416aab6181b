//go:build linux

package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"sharedbarrier/model/group"
	"sharedbarrier/spec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/lockprobe"
)

// A fact is one thing that must be the same on both sides.
type fact struct{ name, value string }

// compare names the facts that differ.
func compare(got, want []fact) (err error) {
	for i := range want {
		if got[i] != want[i] {
			err = errors.Join(err, fmt.Errorf("%s: got %s, want %s", got[i].name, got[i].value, want[i].value))
		}
	}
	return err
}

func (s *session) modelFacts() []fact {
	m := s.snap
	journal := "closed"
	if m.Journal.Phase != 0 {
		journal = fmt.Sprint(m.Journal)
	}
	holder := -1
	if m.Lock >= 0 {
		holder = m.Lock / 2
	}
	facts := []fact{
		{"words", m.Words.String()}, {"holder of the lock", fmt.Sprint(holder)}, {"turn", fmt.Sprint(m.Turn, m.Broken)},
		{"completed", fmt.Sprint(m.Completed)}, {"owed", fmt.Sprint(m.Owed)}, {"journal", journal}, {"note of a death", fmt.Sprint(s.noted)},
	}
	for p, o := range m.Slots {
		facts = append(facts,
			fact{fmt.Sprintf("owner of slot %d", p), o.Owner},
			fact{fmt.Sprintf("arrival of slot %d", p), fmt.Sprint(o.Arrival, " ", o.Round)},
			fact{fmt.Sprintf("broken of slot %d", p), fmt.Sprint(o.Broken)},
			fact{fmt.Sprintf("step of slot %d", p), s.noteOf(p)})
	}
	return facts
}

// noteOf is what the note step of the slot must be.
func (s *session) noteOf(p int) string {
	if s.snap.Slots[p].Owner == "vacant" {
		return "none"
	}
	switch me := s.snap.Threads[2*p]; me.Role {
	case "absent":
		return s.diedAt[p].String()
	case "joiner":
		if s.snap.Slots[p].Owner == "died" {
			return s.diedAt[p].String()
		}
		return spec.Begin.String()
	default:
		return me.At.String()
	}
}

func (s *session) realFacts() ([]fact, error) {
	data, err := s.readGroup()
	if err != nil {
		return nil, err
	}
	var memory [spec.Size]byte
	file, err := os.ReadFile(shm + s.files.Segment)
	if err != nil {
		return nil, err
	}
	copy(memory[:], file)
	holder, err := s.realHolder()
	if err != nil {
		return nil, err
	}
	header := func(name string) uint64 { return read(data, 0, spec.GroupHeader, name) }
	journal := "closed"
	if header("phase") != 0 {
		journal = fmt.Sprint(group.Journal{
			Phase: int(header("phase")), Taken: int(header("taken")), Round: int(header("round")),
			Words: spec.Words{Enter: int32(header("enter")), Exit: int32(header("exit")), Flag: int32(header("flag"))},
		})
	}
	facts := []fact{
		{"words", inspect.WordsIn(memory).String()}, {"holder of the lock", fmt.Sprint(holder)}, {"turn", fmt.Sprint(header("turn")>>1, header("turn")&1 != 0)},
		{"completed", fmt.Sprint(header("completed"))}, {"owed", fmt.Sprint(header("owed"))}, {"journal", journal},
		{"note of a death", fmt.Sprint(note{int(header("brokenRound")), int(header("brokenRank")), spec.MemberStep(header("brokenStep"))})},
	}
	for p := range s.cfg.Members {
		slot := func(name string) uint64 {
			return read(data, spec.GroupHeaderSize+p*spec.GroupSlotSize, spec.GroupSlot, name)
		}
		round, arrival := slot("arrival")>>2, [...]string{"outside", "arrived", "taken", "?"}[slot("arrival")&3]
		if arrival == "outside" {
			round = 0 // the machine has none then
		}
		broken, step := slot("broken"), spec.MemberStep(slot("step")).String()
		if slot("owner") == 0 { // the rest means nothing
			round, arrival, broken, step = 0, "outside", 0, "none"
		}
		facts = append(facts,
			fact{fmt.Sprintf("owner of slot %d", p), ownerName(slot("owner"))},
			fact{fmt.Sprintf("arrival of slot %d", p), fmt.Sprint(arrival, " ", round)},
			fact{fmt.Sprintf("broken of slot %d", p), fmt.Sprint(broken)},
			fact{fmt.Sprintf("step of slot %d", p), step})
	}
	return facts, nil
}

// place returns the offset and the size of a field.
func place(base int, fields []spec.GroupField, name string) (offset, size int) {
	f := fields[slices.IndexFunc(fields, func(f spec.GroupField) bool { return f.Name == name })]
	if f.Type == "uint64" || f.Type == "int64" {
		return base + f.Offset, 8
	}
	return base + f.Offset, 4
}

func read(data []byte, base int, fields []spec.GroupField, name string) uint64 {
	offset, size := place(base, fields, name)
	if size == 8 {
		return binary.NativeEndian.Uint64(data[offset:])
	}
	return uint64(binary.NativeEndian.Uint32(data[offset:]))
}

// ownerName is what the machine calls an owner. The bit is that of linux/futex.h.
func ownerName(owner uint64) string {
	const ownerDied = 1 << 30
	switch {
	case owner == 0:
		return "vacant"
	case owner&ownerDied != 0:
		return "died"
	}
	return "live"
}

// realHolder returns the member whose process holds the lock, or -1. It looks at
// the one that must be it first.
func (s *session) realHolder() (int, error) {
	if s.snap.Lock < 0 {
		if free, err := s.probe.Free(); free || err != nil {
			return -1, err
		}
	}
	var likely []int
	if s.snap.Lock >= 0 {
		likely = append(likely, s.procs[s.snap.Lock/2].cmd.Process.Pid)
	}
	for pid, err := range lockprobe.Holders(s.lockPath, likely...) {
		if err != nil {
			return -1, err
		}
		for p := range s.procs {
			if s.procs[p] != nil && s.procs[p].cmd.Process.Pid == pid {
				return p, nil
			}
		}
		return -2, nil // another process
	}
	return -1, nil
}

func (s *session) readGroup() ([]byte, error) { return os.ReadFile(s.groupPath()) }
