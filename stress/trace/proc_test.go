//go:build linux

package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/scratch"
)

// kills is how many processes each test of random kills kills. More of them, by
// hand:
//
//	go test ./stress/trace -run KilledAnywhere -v -timeout 0 -kills 1000
var kills = flag.Int("kills", 8, "processes that each test of random kills kills")

func TestMain(m *testing.M) {
	flag.Parse()
	reexec.Main(m, map[string]func(){"party": party, "scribble": scribble})
}

// endWithTest ends this process when the test, which holds the other end of its
// input, is gone.
func endWithTest() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}

// A role is what a party in a process of its own does.
type role struct {
	Segment, LockPath string
	Worker, Workers   int
	Parties           int
	KillAt            *spec.Step // kill itself there, in round 5; nil: nowhere
	Late              bool       // a mistake: record a step when it has been taken
	Keeps             bool       // keep all records in descriptor 4
}

// killRound is late enough that the ring has wrapped around.
const killRound = 5

// party calls the barrier without end.
func party() {
	endWithTest()
	var r role
	must(json.Unmarshal([]byte(os.Args[1]), &r))
	b, err := impl.Attach(context.Background(), r.Segment, r.LockPath)
	must(err)
	words, err := OpenWords(r.Segment, true)
	must(err)
	track := NewRecorder(inherited(r.Workers), r.Workers).Track(r.Worker, false)
	if r.Keeps {
		track.Keep(os.NewFile(4, "journal"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	round := int64(1)
	var taken []spec.Step // and not recorded
	b.SetHook(func(s spec.Step) {
		seen := words.Read()
		if r.Late {
			taken = append(taken, s)
			if len(taken) > 1 {
				track.Step(taken[0], seen)
				taken = taken[1:]
			}
		} else {
			track.Step(s, seen)
		}
		if r.KillAt == nil || round != killRound {
			return
		}
		if s == *r.KillAt {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // the signal may end another thread first
		}
		if s == spec.AwaitFlag && *r.KillAt >= spec.LockWithdraw {
			cancel()
		}
	})
	for ; ; round++ {
		parties := r.Parties
		if r.KillAt != nil && round == killRound && *r.KillAt >= spec.LockWithdraw {
			parties++ // none comes
		}
		track.Begin(round, Now(), parties)
		if r.KillAt != nil && round == killRound && *r.KillAt >= spec.MakeEnter {
			must(b.Reset())
		}
		must(b.Wait(ctx, parties))
		track.End(Returned, Now())
	}
}

// scribbles are what scribble records in turn. Where they are quick to record a
// thread spends much of its time in the stores.
var scribbles = [...]spec.Step{
	spec.AwaitFlag, spec.LockExit, spec.LockEnter, spec.LockInit, spec.LockFirst, spec.LockExit, spec.LockWithdraw, spec.CountExit,
}

// scribble has each worker record without end, in a thread of its own, the
// number of its records so far.
func scribble() {
	endWithTest()
	workers, err := strconv.Atoi(os.Args[1])
	must(err)
	r := NewRecorder(inherited(workers), workers)
	for w := range workers {
		go func() {
			runtime.LockOSThread()
			track := r.Track(w, w%8 == 0)
			for i := 0; ; i++ {
				track.Begin(int64(i), 0, i%100)
				step := scribbles[i%len(scribbles)]
				for n := 1; step == spec.AwaitFlag && n < 16; n++ { // attempts
					track.Step(step, spec.Words{})
				}
				track.Step(step, spec.Words{Enter: int32(i), Exit: int32(-i), Flag: int32(i % 8)})
			}
		}()
	}
	select {}
}

// scribbled fails if the record is none that scribble makes.
func scribbled(r Record) error {
	i := int(r.position) - 1
	step := scribbles[i%len(scribbles)]
	want := Record{Number: r.Number, Until: r.Until, Worker: r.Worker, Round: int64(i), Parties: i % 100, Label: step.String(), Taken: r.Taken, Attempts: 1, At: r.At, Last: r.Last, position: r.position, place: r.place}
	switch step {
	case spec.AwaitFlag:
		if want.Attempts = 16; r.Attempts == 1 && !r.Taken {
			want.Attempts = 1
		}
	case spec.CountExit:
		want.Words = &spec.Words{Enter: int32(i), Exit: int32(-i), Flag: int32(i % 8)}
	}
	if !reflect.DeepEqual(r, want) {
		return fmt.Errorf("position %d is %+v, want %+v", r.position, r, want)
	}
	return nil
}

// inherited maps the memory that the test has passed on.
func inherited(workers int) []byte {
	m, err := unix.Mmap(3, 0, int(Size(workers)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	return m
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// A stage is a barrier and a recorder for processes.
type stage struct {
	t        testing.TB
	segment  string
	lockPath string
	file     *os.File
	workers  int
	recorder *Recorder
}

func newStage(t testing.TB, workers int) *stage {
	t.Helper()
	files, err := scratch.Make(t.TempDir(), "trace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	s := &stage{t: t, workers: workers, segment: files.Segment, lockPath: filepath.Join(files.Dir, "lock")}
	b, err := impl.Create(s.segment, s.lockPath)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	fd, err := unix.MemfdCreate("recorder", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	s.file = os.NewFile(uintptr(fd), "recorder")
	t.Cleanup(func() { s.file.Close() })
	if err := s.file.Truncate(Size(workers)); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(fd, 0, int(Size(workers)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	s.recorder = NewRecorder(m, workers)
	return s
}

// start starts a program with the argument and the memory.
func (s *stage) start(program, arg string, more ...*os.File) *exec.Cmd {
	s.t.Helper()
	cmd := reexec.Command(s.t.Context(), program, arg)
	cmd.ExtraFiles = append([]*os.File{s.file}, more...)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

func (s *stage) startParty(r role, more ...*os.File) *exec.Cmd {
	r.Segment, r.LockPath, r.Workers = s.segment, s.lockPath, s.workers
	text, err := json.Marshal(r)
	must(err)
	return s.start("party", string(text), more...)
}

// wantKilled waits for a process that SIGKILL ends.
func wantKilled(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("%v, want killed", cmd.ProcessState)
	}
}

// kill kills the process, and waits until it is gone.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Process.Kill()
	wantKilled(t, cmd)
}

// lastIs fails if the last record of a worker that has died is not of the step,
// or a record is torn.
func lastIs(r Recording, step spec.Step) error {
	records := r.Of(0)
	switch last := len(records) - 1; {
	case last < 0:
		return errors.New("no records")
	case records[last].Label != step.String() || records[last].Taken || r.Torn > 0 || records[last].Round != killRound:
		return fmt.Errorf("the last record is %+v, %d torn", records[last], r.Torn)
	}
	return nil
}

// TestProc_KilledAtEachStep: a party that dies before it takes a step has
// recorded that step as the last one, and before it a walk of the protocol.
// One that records its steps late is found at each of them.
func TestProc_KilledAtEachStep(t *testing.T) {
	type trial struct {
		*stage
		step spec.Step
		late bool
		cmd  *exec.Cmd
	}
	var trials []trial
	for _, step := range spec.AllSteps {
		for _, late := range []bool{false, true} {
			if late && step%4 != 0 {
				continue
			}
			s := newStage(t, 1)
			trials = append(trials, trial{s, step, late, s.startParty(role{Parties: 1, KillAt: &step, Late: late})})
		}
	}
	for _, c := range trials {
		wantKilled(t, c.cmd)
		r := c.recorder.Read()
		err := errors.Join(lastIs(r, c.step), check(r, 1))
		if (err != nil) != c.late {
			t.Errorf("killed at %v, late %v: %v", c.step, c.late, err)
		}
		if want := Last; !c.late && len(r.Records) != want {
			t.Errorf("killed at %v: %d records, want %d", c.step, len(r.Records), want)
		}
	}
}

// awaitSections waits until the process and others have begun so many sections.
func (s *stage) awaitSections(cmd *exec.Cmd, sections int64) {
	s.t.Helper()
	for s.recorder.header.count.Load() < sections*stride {
		var ended unix.Siginfo
		if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &ended, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil || ended.Signo != 0 {
			s.t.Fatalf("process %d has ended (%v)", cmd.Process.Pid, err)
		}
	}
}

// TestProc_KilledAnywhere kills parties at random instants, first one and then
// the others. What they have recorded is in the order of the words.
func TestProc_KilledAnywhere(t *testing.T) {
	const workers = 3
	random := rand.New(rand.NewPCG(1, 1))
	for range max(1, *kills/4) {
		s := newStage(t, workers)
		var parties []*exec.Cmd
		for w := range workers {
			parties = append(parties, s.startParty(role{Worker: w, Parties: workers}))
		}
		s.awaitSections(parties[0], 1000+random.Int64N(500))
		victim := random.IntN(workers)
		kill(t, parties[victim])
		alive := s.recorder.Read() // the others go on for a while
		for w, p := range parties {
			if w != victim {
				kill(t, p)
			}
		}
		r := s.recorder.Read()
		if err := check(r, workers); err != nil {
			t.Errorf("worker %d killed: %v", victim, err)
		}
		was, is := alive.Of(victim), r.Of(victim)
		if len(is) < Last-1 || r.Torn > workers || len(was) != len(is) || was[len(was)-1].position != is[len(is)-1].position {
			t.Errorf("%d records of worker %d, %d torn; want at least %d, one for a worker at most", len(is), victim, r.Torn, Last-1)
		}
	}
}

// TestProc_TraceKilledAnywhere kills parties that keep all of their records at
// random instants, one after the other. Their trace is a behaviour of the model:
// a party that dies loses no more than a step that it has not taken. The control
// is the same trace with a record less.
func TestProc_TraceKilledAnywhere(t *testing.T) {
	const workers = 3
	random := rand.New(rand.NewPCG(5, 1))
	for range max(2, *kills/4) {
		s, journals := newStage(t, workers), newJournals(t, workers)
		var parties []*exec.Cmd
		for w := range workers {
			parties = append(parties, s.startParty(role{Worker: w, Parties: workers, Keeps: true}, journals[w]))
		}
		s.awaitSections(parties[0], 5000+random.Int64N(500))
		var sources []Source
		for w, p := range parties {
			kill(t, p)
			sources = append(sources, Source{Journal: journals[w], Died: Now()})
		}
		var file bytes.Buffer
		if _, err := s.recorder.Write(&file, Head{Procs: workers}, sources, math.MaxInt64, nil); err != nil {
			t.Fatal(err)
		}
		trace, err := accept.Read(&file)
		if err != nil {
			t.Fatal(err)
		}
		if no := accept.Check(trace).Rejection; no != nil || len(trace.Events) < 5000 {
			t.Errorf("%d events, rejected: %+v", len(trace.Events), no)
		}
		late := slices.IndexFunc(trace.Events, func(e accept.Event) bool { return e.Label == "CountEnter" && e.Number > 4000 })
		trace.Events = slices.Delete(trace.Events, late, late+1)
		if accept.Check(trace).Rejection == nil {
			t.Errorf("without a CountEnter the trace is accepted, want it rejected")
		}
	}
}

// TestProc_KilledWhileRecording kills processes in which 64 threads do nothing
// but record. Each has lost the record that it was writing, or none.
func TestProc_KilledWhileRecording(t *testing.T) {
	const workers = 64
	random := rand.New(rand.NewPCG(1, 1))
	torn := 0
	for range *kills {
		s := newStage(t, workers)
		cmd := s.start("scribble", strconv.Itoa(workers))
		s.awaitSections(cmd, 20_000+random.Int64N(1000))
		kill(t, cmd)
		r := s.recorder.Read()
		torn += r.Torn
		for w := range workers {
			records := r.Of(w)
			for i, record := range records {
				if err := scribbled(record); err != nil {
					t.Errorf("worker %d: %v", w, err)
				}
				if record.position != records[0].position+uint64(i) {
					t.Errorf("worker %d: position %d after %d records from %d", w, record.position, i, records[0].position)
				}
			}
		}
		if r.Torn > workers {
			t.Errorf("%d torn records of %d workers", r.Torn, workers)
		}
	}
	t.Logf("%d of %d records that threads were writing were torn", torn, *kills*workers)
}

// TestConform_ManyWorkers: 64 parties fill their rings, and what a reader finds
// then is in the order of the words. Meanwhile it finds walks of the protocol.
func TestConform_ManyWorkers(t *testing.T) {
	const workers = 64
	s := newStage(t, workers)
	var parties sync.WaitGroup
	for w := range workers {
		parties.Go(func() {
			b, err := impl.Attach(t.Context(), s.segment, s.lockPath)
			must(err)
			defer b.Close()
			words, err := OpenWords(s.segment, true)
			must(err)
			defer words.Close()
			track := s.recorder.Track(w, false)
			b.SetHook(func(step spec.Step) { track.Step(step, words.Read()) })
			for round := int64(1); round <= 6; round++ {
				track.Begin(round, Now(), workers)
				must(b.Wait(t.Context(), workers))
				track.End(Returned, Now())
			}
		})
	}
	parties.Wait()
	r := s.recorder.Read()
	if err := check(r, workers); err != nil {
		t.Error(err)
	}
	if len(r.Records) != workers*Last || r.Torn != 0 {
		t.Errorf("%d records, %d torn; want %d, none", len(r.Records), r.Torn, workers*Last)
	}
	wrong(t, r, workers)
}

// wrong has check find each change of a recording that it accepts.
func wrong(t *testing.T, r Recording, workers int) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	held := func() int { // a step under the lock in the last part, where no ring has lost any
		for {
			if i := len(r.Records) - 1 - random.IntN(len(r.Records)/4); r.Records[i].Words != nil && r.Records[i].Taken {
				return i
			}
		}
	}
	for name, change := range map[string]func([]Record) []Record{
		"a word": func(list []Record) []Record {
			i := held()
			w := *list[i].Words
			w.Exit += 5
			list[i].Words = &w
			return list
		},
		"a label": func(list []Record) []Record { list[held()].Label = "Call"; return list },
		"dropped": func(list []Record) []Record { i := held(); return append(list[:i:i], list[i+1:]...) },
		"doubled": func(list []Record) []Record { i := held(); return append(list[:i+1:i+1], list[i:]...) },
		"number":  func(list []Record) []Record { list[held()].Number += stride; return list },
	} {
		for range 20 {
			changed := r
			changed.Records = change(append([]Record(nil), r.Records...))
			if check(changed, workers) == nil {
				t.Errorf("%s: check has found nothing", name)
			}
		}
	}
}
