//go:build linux

package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// memory returns the memory of an empty recorder.
func memory(t testing.TB, workers int) []byte {
	t.Helper()
	m, err := unix.Mmap(-1, 0, int(Size(workers)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	return m
}

// twoWorkers returns what two workers have recorded at a real barrier's words.
// Worker 0 was killed at CountEnter, and worker 1 has failed.
func twoWorkers(t *testing.T) Recording {
	r := NewRecorder(memory(t, 2), 2)
	a, b := r.Track(0, false), r.Track(1, false)
	start := Now()
	a.Begin(7, start, 2)
	b.Begin(7, start+1, 2)
	a.Step(spec.Call, spec.Words{})
	b.Step(spec.Call, spec.Words{})
	a.Step(spec.LockInit, spec.Words{})
	a.Step(spec.InitExit, spec.Words{Enter: 0, Exit: -1, Flag: 1})
	a.Step(spec.UnlockInit, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	for range 33 {
		b.Step(spec.LockInit, spec.Words{}) // it blocks
	}
	b.Step(spec.InitExit, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	a.Step(spec.AwaitDrain, spec.Words{}) // this worker leaves steps out
	b.Step(spec.UnlockInit, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	for range 16 {
		a.Step(spec.AwaitDrain, spec.Words{})
	}
	b.Step(spec.LockEnter, spec.Words{})
	b.End(Failed, Now())
	a.Step(spec.LockFirst, spec.Words{})
	a.Step(spec.LowerFlag, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	a.Step(spec.CountEnter, spec.Words{Enter: 0, Exit: 2, Flag: 0})
	return r.Read()
}

// TestUnit_Until: a record says nothing of what follows the one before if its
// worker has not looked at the counter: at a first attempt at an acquisition,
// and at Call.
func TestUnit_Until(t *testing.T) {
	r := NewRecorder(memory(t, 2), 2)
	other := r.Track(1, false)
	sections := func(n int) {
		for range n {
			other.Step(spec.LockInit, spec.Words{})
			other.Step(spec.InitExit, spec.Words{})
		}
	}
	track := r.Track(0, false)
	track.End(Returned, 0)
	sections(3) // 16, 32, 48
	track.Step(spec.Call, spec.Words{})
	until := func() int64 { return r.Read().Of(0)[0].Until }
	if got := until(); got != 0 {
		t.Errorf("before Call: got %d, want unknown", got)
	}
	track.Step(spec.LockInit, spec.Words{})
	if got := until(); got != 0 {
		t.Errorf("before Call and a first attempt: got %d, want unknown", got)
	}
	for range 15 {
		track.Step(spec.LockInit, spec.Words{})
	}
	if got := until(); got != 64 {
		t.Errorf("before Call and a 16th attempt: got %d, want 64", got)
	}
	track = r.Track(0, false)
	sections(1) // 64
	track.Step(spec.AwaitFlag, spec.Words{})
	if got := r.Read().Of(0)[2].Until; got != 80 {
		t.Errorf("before a poll: got %d, want 80", got)
	}
	sections(1)                             // 80
	track.Step(spec.InitExit, spec.Words{}) // 96
	if got := r.Read().Of(0)[3].Until; got != 96 {
		t.Errorf("before a step under the lock: got %d, want its number, 96", got)
	}
}

func TestUnit_Order(t *testing.T) {
	var got []string
	for _, r := range twoWorkers(t).Records {
		line := fmt.Sprintf("%d-%d w%d r%d/%d %v", r.Number, r.Until, r.Worker, r.Round, r.Parties, r)
		if r.Words != nil {
			line += " " + r.Words.String()
		}
		got = append(got, line)
	}
	want := []string{
		"0-16 w0 r7/2 Call", // InitExit of worker 0 has the number 16
		"0-32 w1 r7/2 Call",
		"0-16 w0 r7/2 LockInit",
		"16-17 w0 r7/2 InitExit enter=0 exit=-1 flag=1",
		"17-48 w0 r7/2 UnlockInit enter=0 exit=2 flag=1",
		"16-32 w1 r7/2 LockInit ×32",
		"32-33 w1 r7/2 InitExit enter=0 exit=2 flag=1",
		"32-48 w0 r7/2 AwaitDrain ×16", // the counter when it looked, and LowerFlag
		"33-48 w1 r7/2 UnlockInit enter=0 exit=2 flag=1",
		"33-48 w1 r7/2 LockEnter",
		"33-0 w1 r7/2 error",
		"32-48 w0 r7/2 LockFirst",
		"48-49 w0 r7/2 LowerFlag enter=0 exit=2 flag=1",
		"49-0 w0 r7/2 CountEnter ? enter=0 exit=2 flag=0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("records:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestGolden_Text: the tables of a recording, whole, cut, and of many workers.
// The times are those of the test.
func TestGolden_Text(t *testing.T) {
	r := twoWorkers(t)
	r.Now = 1e9
	for i := range r.Records {
		r.Records[i].At = r.Now - int64(len(r.Records)-i)*1e6
	}
	many := r
	many.Torn = 1
	many.Records = nil
	for w := range columns + 1 {
		for _, record := range r.Of(0)[:2] {
			record.Worker = w
			many.Records = append(many.Records, record)
		}
	}
	var text strings.Builder
	for _, c := range []Recording{r, r.Tail(4, []int{1}), many, many.Tail(2*columns, nil), {}} {
		if err := c.Text(&text); err != nil {
			t.Fatal(err)
		}
		text.WriteString("\n")
	}
	golden.File(t, "testdata/text.txt", text.String())
}

// TestUnit_Tail: the last three records of each wanted worker, the last first,
// and the last ones of all.
func TestUnit_Tail(t *testing.T) {
	r := Recording{}
	for i := range 40 {
		r.Records = append(r.Records, Record{Number: int64(i), Worker: i / 10})
	}
	for _, c := range []struct {
		n      int
		wanted []int
		want   []int64
	}{
		{3, nil, []int64{37, 38, 39}},
		{5, []int{1}, []int64{17, 18, 19, 38, 39}},
		{3, []int{0, 1}, []int64{8, 9, 19}},
		{1, []int{7}, []int64{39}},
		{100, []int{0}, nil},
	} {
		var got []int64
		for _, record := range r.Tail(c.n, c.wanted).Records {
			got = append(got, record.Number)
		}
		if c.want == nil && len(got) == len(r.Records) {
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("Tail(%d, %v) has the numbers %v, want %v", c.n, c.wanted, got, c.want)
		}
	}
}

// TestUnit_WrapAround: a ring has the last records, from the first to far more
// than it has places, and a second Track goes on with them.
func TestUnit_WrapAround(t *testing.T) {
	m := memory(t, 1)
	r := NewRecorder(m, 1)
	track := r.Track(0, false)
	for n := 0; n <= 5*places; n++ {
		records := r.Read().Records
		if want := min(n, Last); len(records) != want {
			t.Fatalf("after %d records: got %d, want %d", n, len(records), want)
		}
		for i, record := range records {
			if want := int64(n - len(records) + i); record.Round != want || record.Taken != (i < len(records)-1) {
				t.Fatalf("after %d records: record %d is of round %d, taken %v; want round %d, and the last one not taken", n, i, record.Round, record.Taken, want)
			}
		}
		if n == 2*places+7 {
			track = NewRecorder(m, 1).Track(0, true)
		}
		track.Begin(int64(n), 0, 1)
		track.Step(spec.Call, spec.Words{})
	}
}

// placed returns the place with the content.
func placed(c content) (p place) {
	p.write(c.position, uint64(c.number), uint64(c.at), uint64(c.round), pair(c.attempts, uint32(c.what)),
		pair(uint32(c.words.Enter), uint32(c.words.Exit)), pair(uint32(c.words.Flag), uint32(c.parties)))
	return p
}

// TestHazard_TornPlace: a worker dies when it has stored any parts of a record
// over an older one, or has stored them all. A reader has the new record in the
// last case, the old one before the first store, and else none.
func TestHazard_TornPlace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		older := content{position: random.Uint64(), number: 5, at: 1e9, round: random.Int64N(3), what: 3, attempts: 1, parties: 2, words: spec.Initial}
		newer := older
		newer.position += places
		switch random.IntN(3) {
		case 0: // of one sum, if that had no factors
			newer.number, newer.at, newer.parties = newer.number-places/2, newer.at-places/2-1, 3
		case 1:
			newer.number, newer.at, newer.round, newer.what, newer.words.Enter = 21, older.at+random.Int64N(1e6), older.round+1, 4, 1
		}
		before, after := placed(older), placed(newer)
		for stored := range 1 << len(before) {
			p := before
			for i := range p {
				if stored>>i&1 == 1 {
					p[i] = after[i]
				}
			}
			got, ok := p.read()
			switch {
			case p == before && (!ok || got != older):
				t.Fatalf("before the write: got %+v, %v, want %+v", got, ok, older)
			case p == after && (!ok || got != newer):
				t.Fatalf("after the write: got %+v, %v, want %+v", got, ok, newer)
			case p != before && p != after && ok:
				t.Fatalf("with the parts %08b of %+v over %+v: got %+v, want a torn place", stored, newer, older, got)
			}
		}
	}
	var empty place
	if got, ok := empty.read(); ok {
		t.Errorf("a place of zeros: got %+v, want none", got)
	}
}

// TestHazard_TornRecord: of a worker that dies in a write, a reader lacks what
// was being written, a record or a further attempt, and nothing else.
func TestHazard_TornRecord(t *testing.T) {
	for _, n := range []int{1, 2, Last, Last + 1, 3 * places} {
		r := NewRecorder(memory(t, 1), 1)
		track := r.Track(0, false)
		for i := range n {
			track.Begin(int64(i), 0, 1)
			for range 16 {
				track.Step(spec.AwaitFlag, spec.Words{})
			}
		}
		for _, c := range []struct {
			torn    *uint64
			records int
			want    Record // the last one
		}{
			{&r.rings[0].again[track.place][3], min(n, Last), Record{Round: int64(n - 1), Attempts: 1}},
			{&r.rings[0].first[track.place][7], min(n-1, Last), Record{Round: int64(n - 2), Attempts: 16}},
		} {
			*c.torn++
			got := r.Read()
			*c.torn--
			if got.Torn != 1 || len(got.Records) != c.records {
				t.Errorf("%d records: got %d and %d torn, want %d and 1", n, len(got.Records), got.Torn, c.records)
			}
			if c.records == 0 {
				continue
			}
			if last := got.Records[c.records-1]; last.Round != c.want.Round || last.Attempts != c.want.Attempts || last.Taken {
				t.Errorf("%d records: the last one is %+v, want round %d, attempts %d, not taken", n, last, c.want.Round, c.want.Attempts)
			}
		}
	}
}

// TestUnit_Gap: a reader that a worker overtakes has the records behind the gap
// only.
func TestUnit_Gap(t *testing.T) {
	r := NewRecorder(memory(t, 1), 1)
	track := r.Track(0, false)
	for i := range int64(2 * places) {
		track.Begin(i, 0, 1)
		track.Step(spec.Call, spec.Words{})
	}
	r.rings[0].first[(track.place+places-9)%places] = placed(content{position: 2, attempts: 1})
	if got := r.Read().Records; len(got) != 9 || got[0].Round != 2*places-9 {
		t.Errorf("got %v, want the last 9 of %d", got, 2*places)
	}
}

// TestUnit_ReadWhileItMoves: what a reader has while a worker records is without
// a gap.
func TestUnit_ReadWhileItMoves(t *testing.T) {
	r := NewRecorder(memory(t, 1), 1)
	done := make(chan bool)
	go func() {
		defer close(done)
		track := r.Track(0, false)
		for i := range 200_000 {
			track.Begin(int64(i), 0, 1)
			track.Step(spec.Call, spec.Words{})
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		records := r.Read().Records
		for i, record := range records {
			if record.Round != records[0].Round+int64(i) {
				t.Fatalf("record %d is of round %d, and the first one of round %d", i, record.Round, records[0].Round)
			}
		}
		if !reading && len(records) != Last {
			t.Errorf("at the end: got %d records, want %d", len(records), Last)
		}
	}
}

// TestUnit_JSON: a recording is the same when it was written and read.
func TestUnit_JSON(t *testing.T) {
	want := twoWorkers(t)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Recording
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for i := range want.Records {
		want.Records[i].position, want.Records[i].place = 0, [2]int64{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Records[0].String() != "Call" || got.Of(1)[0].Worker != 1 {
		t.Errorf("the first record is %v", got.Records[0])
	}
}

// TestHazard_TruncatedWords: a reader of the words survives a peer that
// truncates the segment. The control reads them before.
func TestHazard_TruncatedWords(t *testing.T) {
	name := newStage(t, 1).segment
	path := "/dev/shm/" + name
	if err := os.WriteFile(path, []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}, 0o600); err != nil {
		t.Fatal(err)
	}
	words, err := OpenWords(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWords("sharedbarrier-trace-none", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenWords of no segment: got %v, want %v", err, fs.ErrNotExist)
	}
	unmapped, err := OpenWords(name, false)
	if err != nil {
		t.Fatal(err)
	}
	if maps, err := os.ReadFile("/proc/self/maps"); strings.Count(string(maps), path) != 1 {
		t.Errorf("the words are mapped %d times (%v), want once", strings.Count(string(maps), path), err)
	}
	for _, w := range []*Words{words, unmapped} {
		if got, want := w.Read(), (spec.Words{Enter: 1, Exit: 2, Flag: 3}); got != want {
			t.Errorf("Read() = %v, want %v", got, want)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Words{words, unmapped} {
		if got := w.Read(); got != (spec.Words{}) {
			t.Errorf("Read() of a truncated segment = %v, want zeros", got)
		}
	}
	defer func() {
		p := recover()
		if !words.IsFault(p) || unmapped.IsFault(p) || words.IsFault(errors.New("another")) {
			t.Errorf("Load() of a truncated segment panics with %v, want a fault of its words", p)
		}
		for _, w := range []*Words{words, unmapped} {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
		if maps, _ := os.ReadFile("/proc/self/maps"); strings.Contains(string(maps), path) {
			t.Error("Close has left the words mapped")
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	words.Load()
}
