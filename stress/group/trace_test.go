//go:build linux

package group_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"sharedbarrier/impl"
	"sharedbarrier/impl/group"
	"sharedbarrier/model/accept"
	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/scratch"
)

// A record is what a traced party writes of a step before it takes it: a member
// of the steps of GROUP.md that stand for steps of PROTOCOL.md, a foreign party
// of each step. Its number is that of spec/TRACES.md, with one for a step of a
// member that stands for several.
type record struct {
	Proc   int
	Label  string
	Number int64
	Words  spec.Words // under the lock
	Taken  []int      // of CarryRaiseFlag: the ranks that have arrived
}

// A ledger is the counter that all parties of a trace share, in a file. It is
// changed under the barrier's lock.
type ledger struct {
	*os.File
	segment *os.File
}

func openLedger(dir, segment string) (l ledger, err error) {
	if l.File, err = os.OpenFile(filepath.Join(dir, "counter"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return l, err
	}
	l.segment, err = os.Open("/dev/shm/" + segment)
	return l, err
}

func (l ledger) number() int64 {
	var b [8]byte
	l.ReadAt(b[:], 0) // an empty file: 0
	return int64(binary.NativeEndian.Uint64(b[:]))
}

func (l ledger) next() int64 {
	number := l.number() + 1
	if _, err := l.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(number)), 0); err != nil {
		panic(err)
	}
	return number
}

func (l ledger) words() spec.Words {
	var b [spec.Size]byte
	if _, err := l.segment.ReadAt(b[:], 0); err != nil {
		panic(err)
	}
	return inspect.WordsIn(b)
}

// traced is a party of n, which calls so many times: a member, or a foreign
// party. Its lines are the records. It begins when its input ends.
func traced() {
	name, dir, n, proc, rounds, member := os.Args[1], os.Args[2], number(3), number(4), number(5), os.Args[6] == "member"
	out := json.NewEncoder(os.Stdout)
	say := func(r record) {
		r.Proc = proc
		if err := out.Encode(r); err != nil {
			panic(err)
		}
	}
	wait := func() {
		fmt.Println(`{"Label":"ready"}`)
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
	ctx, lockPath := context.Background(), filepath.Join(dir, "lock")
	if !member {
		b, l := must(impl.Attach(ctx, name, lockPath)), must(openLedger(dir, name))
		wait()
		b.SetHook(func(s spec.Step) {
			if s.Holds() {
				say(record{Label: s.String(), Number: l.next(), Words: l.words()})
			} else {
				say(record{Label: s.String(), Number: l.number()})
			}
		})
		for range rounds {
			if err := b.Wait(ctx, n); err != nil {
				panic(err)
			}
			say(record{Label: accept.Returned, Number: l.number()})
		}
		return
	}
	g := must(group.Join(ctx, group.Config{Name: name, LockPath: lockPath, Parties: n, Rank: proc}))
	l := must(openLedger(dir, name))
	wait()
	var open record
	g.SetHook(func(s spec.MemberStep) {
		switch s {
		case spec.Open:
			open = record{Words: l.words()}
			for _, r := range must(g.Status()).Ranks {
				if r.Arrived {
					open.Taken = append(open.Taken, r.Rank)
				}
			}
		case spec.CarryRaiseFlag:
			open.Label, open.Number = s.String(), l.next()
			say(open)
		case spec.CarryInitExit, spec.CarryCountExit:
			say(record{Label: s.String(), Number: l.next(), Words: l.words()})
		}
	})
	for range rounds {
		if err := g.Wait(ctx); err != nil {
			panic(err)
		}
	}
	if err := g.Leave(); err != nil {
		panic(err)
	}
}

func number(arg int) int { return must(strconv.Atoi(os.Args[arg])) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// An expansion makes a trace of records by the last table of GROUP.md.
type expansion struct {
	parties int
	events  []accept.Event
	last    int64 // number of a step under the lock
	words   spec.Words
	owed    []int // members that have not been counted in exit
}

// step adds a step of a party and does what it does to the words.
func (x *expansion) step(proc int, s spec.Step) {
	e := accept.Event{Proc: proc, Label: s.String(), Number: x.last}
	if s == spec.Call {
		e.Parties = x.parties
	}
	if s.Holds() {
		x.last++
		e.Number, e.Words = x.last, x.words
	}
	x.events = append(x.events, e)
	x.words = accepttest.After(s, x.words, x.parties)
}

func (x *expansion) steps(proc int, list ...spec.Step) {
	for _, s := range list {
		x.step(proc, s)
	}
}

func (x *expansion) end(proc int, label string) {
	x.events = append(x.events, accept.Event{Proc: proc, Label: label, Number: x.last})
}

var enters = []spec.Step{spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter}

// expand adds the steps that a step of a member stands for. The words are those
// that the member has read.
func (x *expansion) expand(r record) {
	x.words = r.Words
	switch r.Label {
	case spec.CarryInitExit.String():
		x.steps(r.Proc, enters...)
		x.end(r.Proc, accept.Withdrawn)
	case spec.CarryRaiseFlag.String():
		for i, member := range r.Taken {
			x.steps(member, enters...)
			if x.step(member, spec.TestFirst); x.words.Enter == 0 {
				x.steps(member, spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst, spec.LowerFlag)
			}
			if x.step(member, spec.CountEnter); i == len(r.Taken)-1 {
				x.steps(member, spec.ResetEnter, spec.ResetExit, spec.RaiseFlag)
			}
			x.step(member, spec.UnlockEnter)
		}
		x.owed = r.Taken
	case spec.CarryCountExit.String():
		for _, member := range x.owed {
			x.steps(member, spec.AwaitFlag, spec.LockExit, spec.CountExit)
			if x.words.Exit == int32(x.parties) {
				x.step(member, spec.ClearExit)
			}
			x.step(member, spec.UnlockExit)
			x.end(member, accept.Returned)
		}
		x.owed = nil
	}
}

// traceOf makes the trace of all records. Those of each party are in its order.
func traceOf(parties, members int, records []record) *accept.Trace {
	locked := func(r record) bool {
		s, err := spec.ParseStep(r.Label)
		return r.Proc < members || err == nil && s.Holds()
	}
	slices.SortStableFunc(records, func(a, b record) int { return int(a.Number - b.Number) })
	x := expansion{parties: parties}
	first, last := map[int64]int64{}, map[int64]int64{} // by the number of a record, those of its steps
	for _, r := range records {
		if !locked(r) {
			continue
		}
		if first[r.Number] = x.last + 1; r.Proc < members {
			x.expand(r)
		} else {
			s, _ := spec.ParseStep(r.Label)
			x.words = r.Words
			x.step(r.Proc, s)
		}
		last[r.Number] = x.last
	}
	for _, r := range records {
		if locked(r) {
			continue
		}
		e := accept.Event{Proc: r.Proc, Label: r.Label, Number: last[r.Number]}
		if r.Label == spec.Call.String() {
			e.Parties = parties
		}
		x.events = append(x.events, e)
	}
	return &accept.Trace{Procs: parties, Events: ordered(x.events)}
}

// ordered puts the events into the order of a trace, and sets until.
func ordered(events []accept.Event) []accept.Event {
	accepttest.Sort(events)
	next := map[int]int64{} // by party, the number of its event that follows
	for i := len(events) - 1; i >= 0; i-- {
		e := &events[i]
		if !e.Locked() {
			e.Until = next[e.Proc]
		}
		next[e.Proc] = e.Number
	}
	return events
}

// folded leaves one of the attempts at a step, which a party records one after
// the other: of a poll the last, of an acquisition the first.
func folded(records []record) (kept []record) {
	for _, r := range records {
		if i := len(kept) - 1; i >= 0 && kept[i].Label == r.Label {
			if r.Label == spec.AwaitDrain.String() || r.Label == spec.AwaitFlag.String() {
				kept[i] = r
				continue
			}
			if s, err := spec.ParseStep(r.Label); err == nil && s.Lock() == spec.Acquire {
				continue
			}
		}
		kept = append(kept, r)
	}
	return kept
}

// TestConform_Traces: what members do to the words, alone and beside a foreign
// party, is a trace of PROTOCOL.md when each of their steps stands for those
// that GROUP.md says. The words in it are those that the processes read. A
// trace that lacks a step of a member, or has it with another word, is none.
func TestConform_Traces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ members, foreign int }{{2, 0}, {3, 0}, {1, 1}, {2, 1}, {1, 2}} {
		t.Run(fmt.Sprintf("members=%d/foreign=%d", tc.members, tc.foreign), func(t *testing.T) {
			n := tc.members + tc.foreign
			records := recorded(t, tc.members, tc.foreign, 20)
			trace := traceOf(n, tc.members, slices.Clone(records))
			if r := accept.Check(trace).Rejection; r != nil {
				t.Errorf("the trace is rejected: %s", r.Text())
			}
			t.Logf("%d records, %d events", len(records), len(trace.Events))
			for _, label := range []string{spec.CarryRaiseFlag.String(), spec.CarryCountExit.String()} {
				i := -1 // the first in time: without the last one, the trace may just end before
				for k, r := range records {
					if r.Label == label && (i < 0 || r.Number < records[i].Number) {
						i = k
					}
				}
				if i < 0 {
					t.Fatalf("no member took %s", label)
				}
				spoilt := traceOf(n, tc.members, slices.Delete(slices.Clone(records), i, i+1))
				if accept.Check(spoilt).Rejection == nil {
					t.Errorf("the trace is accepted without a %s", label)
				}
				other := slices.Clone(records)
				other[i].Words.Exit++
				if accept.Check(traceOf(n, tc.members, other)).Rejection == nil {
					t.Errorf("the trace is accepted with another exit at a %s", label)
				}
			}
		})
	}
}

// recorded runs so many rounds, and returns the records of all parties, those of
// each one in its order.
func recorded(t *testing.T, members, foreign, rounds int) (records []record) {
	t.Helper()
	files, err := scratch.Make("", "test")
	if err != nil {
		t.Fatal(err)
	}
	b, err := impl.Create(files.Segment, filepath.Join(files.Dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), files.Close()); err != nil {
			t.Error(err)
		}
	})
	type party struct {
		cmd *exec.Cmd
		in  io.Closer
		out *json.Decoder
	}
	var parties []party
	for proc := range members + foreign {
		as := "member"
		if proc >= members {
			as = "foreign"
		}
		cmd := reexec.Command(t.Context(), "traced", files.Segment, files.Dir, fmt.Sprint(members+foreign), fmt.Sprint(proc), fmt.Sprint(rounds), as)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p := party{cmd, in, json.NewDecoder(reexec.Start(t, cmd))}
		var ready record
		if err := p.out.Decode(&ready); err != nil || ready.Label != "ready" {
			t.Fatalf("party %d: %+v, %v", proc, ready, err)
		}
		parties = append(parties, p)
	}
	all := make([][]record, len(parties))
	var readers sync.WaitGroup
	for i, p := range parties {
		p.in.Close()
		readers.Go(func() {
			for {
				var r record
				if p.out.Decode(&r) != nil {
					return
				}
				all[i] = append(all[i], r)
			}
		})
	}
	readers.Wait()
	for i, p := range parties {
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("party %d: %v", i, err)
		}
		records = append(records, folded(all[i])...)
	}
	return records
}
