package group

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// TestMain runs a member in a process that start starts.
func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){"member": func() {
		if err := runMember(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}})
}

// An order has a member process call Wait or another method, and a report says
// how that ended.
type (
	order struct {
		Do     string // Wait, Leave, Status, Reset
		Rounds int    // of Wait, until one fails
		Time   time.Duration
		// At so many visits of a step: kill or stop itself, end the context,
		// or stay. Those after the end of the round do not count if it is Open.
		Step   string
		Visit  int
		Open   bool
		Signal string
		// The guardian kills the process at the step, or else at Wake.
		Guardian string
	}
	report struct {
		Rounds  int    // that returned nil
		Error   string // "" nil, broken, missing, or the text
		Text    string
		Broken  *BrokenError
		Missing []Rank
		At      time.Time
	}
)

// runMember joins and carries out the orders of its stdin.
func runMember() error {
	var cfg Config
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	if err := in.Decode(&cfg); err != nil {
		return err
	}
	var dies atomic.Value // order.Guardian
	cfg.Hook = func(guardian bool, s spec.MemberStep) {
		if at, _ := dies.Load().(string); guardian && at != "" && (s.String() == at || s == spec.Wake) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	g, err := Join(context.Background(), cfg)
	if err := out.Encode(reportOf(0, err)); err != nil || g == nil {
		return err
	}
	for {
		var o order
		if in.Decode(&o) != nil {
			return nil
		}
		ctx, cancel := context.WithCancel(context.Background())
		visits := 0
		dies.Store(o.Guardian)
		g.SetHook(nil)
		if o.Step != "" {
			g.SetHook(func(s spec.MemberStep) {
				if s.String() != o.Step || o.Open && g.head.turn.Load()>>1 > g.mine {
					return
				}
				if visits++; visits != max(1, o.Visit) {
					return
				}
				switch o.Signal {
				case "cancel":
					cancel()
				case "stay":
					select {}
				case "stop":
					runtime.LockOSThread() // a signal to this thread stops it at once
					unix.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGSTOP)
					runtime.UnlockOSThread()
				default:
					syscall.Kill(os.Getpid(), syscall.SIGKILL)
					select {}
				}
			})
		}
		if o.Time > 0 {
			ctx, cancel = context.WithTimeout(ctx, o.Time)
		}
		var err error
		rounds := 0
		switch o.Do {
		case "Wait":
			for ; err == nil && rounds < max(1, o.Rounds); rounds++ {
				if err = g.Wait(ctx); err != nil {
					break
				}
			}
		case "Leave":
			err = g.Leave()
		case "Reset":
			err = g.Reset()
		}
		cancel()
		if err := out.Encode(reportOf(rounds, err)); err != nil {
			return err
		}
	}
}

func reportOf(rounds int, err error) report {
	r := report{Rounds: rounds, At: time.Now()}
	var broken *BrokenError
	var missing *MissingError
	switch {
	case errors.As(err, &broken):
		r.Error, r.Broken, r.Text = "broken", broken, err.Error()
	case errors.As(err, &missing):
		r.Error, r.Missing, r.Text = "missing", missing.Missing, err.Error()
	case err != nil:
		r.Error, r.Text = err.Error(), err.Error()
	}
	return r
}

// A member is another process that has joined.
type member struct {
	t       *testing.T
	name    string // of the group
	rank    int
	cmd     *exec.Cmd
	in      *json.Encoder
	reports chan report // closed when the process has ended
}

// deadline is how long a report may take on the slowest machine: what takes
// longer hangs.
const deadline = 10 * time.Minute

// start starts a member. The report of Join comes first.
func start(t *testing.T, name, lockPath string, parties, rank int) *member {
	t.Helper()
	return startIn(t, nil, name, lockPath, parties, rank)
}

// startIn starts a member in namespaces of its own.
func startIn(t *testing.T, namespaces *syscall.SysProcAttr, name, lockPath string, parties, rank int) *member {
	t.Helper()
	cmd := reexec.Command(context.Background(), "member")
	cmd.SysProcAttr = namespaces
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := reexec.Start(t, cmd)
	m := &member{t, name, rank, cmd, json.NewEncoder(in), make(chan report, 1)}
	go func() {
		defer close(m.reports)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			var r report
			if json.Unmarshal(scan.Bytes(), &r) != nil {
				return
			}
			m.reports <- r
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	m.in.Encode(Config{Name: name, LockPath: lockPath, Parties: parties, Rank: rank, Label: fmt.Sprint("member ", rank)})
	if r := m.report(); r.Error != "" {
		t.Fatalf("Join of rank %d: got %s, want nil", rank, r.Text)
	}
	return m
}

// stop stops the process, and returns when it has stopped.
func (m *member) stop() {
	m.t.Helper()
	m.cmd.Process.Signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(m.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		m.t.Fatalf("rank %d: wait for a stop: got %v, %v", m.rank, status, err)
	}
}

func (m *member) order(o order) {
	m.t.Helper()
	if err := m.in.Encode(o); err != nil {
		m.t.Fatalf("rank %d: %v", m.rank, err)
	}
}

// report returns the next report. One of Error "killed" says that the process
// has ended.
func (m *member) report() report {
	m.t.Helper()
	select {
	case r, more := <-m.reports:
		if !more {
			m.cmd.Wait()
			return report{Error: "killed", At: time.Now()}
		}
		return r
	case <-time.After(deadline):
		s, _ := Inspect(m.name)
		m.t.Fatalf("rank %d hangs: %+v", m.rank, s)
		panic("unreachable")
	}
}

// killable are the steps of a call at which a member of a group of members can
// be; it is at the section's last ones in the round that it carries out.
var killable = slices.DeleteFunc(slices.Concat(spec.MemberCallSteps, spec.SectionSteps), func(s spec.MemberStep) bool {
	switch s {
	case spec.Watch, spec.Retract, // of others
		spec.Reopen, spec.UndoEnter, spec.UndoExit, spec.UndoFlag, spec.Mark, spec.TurnBroken: // of a repair
		return true
	}
	return false
})

// committed reports whether a member that dies at the step in a round that it
// carries out has committed that.
func committed(s spec.MemberStep, visit int) bool {
	switch s {
	case spec.Owe, spec.Complete, spec.Turn, spec.Close, spec.CarryCountExit, spec.Settled, spec.UnlockRound, spec.Wake, spec.Return:
		return true
	case spec.Settle, spec.Break, spec.Judge:
		return visit == 2
	}
	return false
}

// TestProc_KilledAtEachStep kills a member, by SIGKILL, at each step of a call.
// Each survivor's call ends: with nil if the round was committed, and otherwise
// with an error that names the dead; then the words are as before. Then the
// rank is joined anew, and rounds go on.
func TestProc_KilledAtEachStep(t *testing.T) {
	for _, n := range []int{2, 3} {
		for _, step := range killable {
			visits := []int{1}
			if step == spec.Settle || step == spec.Break {
				visits = []int{1, 2}
			}
			for _, visit := range visits {
				t.Run(fmt.Sprintf("n=%d/%v/%d", n, step, visit), func(t *testing.T) { killAt(t, n, step, visit) })
			}
		}
	}
}

func killAt(t *testing.T, n int, step spec.MemberStep, visit int) {
	name, lockPath := newNames(t)
	members := make([]*member, n)
	for rank := range n {
		members[rank] = start(t, name, lockPath, n, rank)
	}
	both := func(rounds int, who ...*member) {
		t.Helper()
		for _, m := range who {
			m.order(order{Do: "Wait", Rounds: rounds})
		}
		for _, m := range who {
			if r := m.report(); r.Error != "" || r.Rounds != rounds {
				t.Fatalf("rank %d: %d rounds: got %+v", m.rank, rounds, r)
			}
		}
	}
	both(3, members...)
	victim, others := members[n-1], members[:n-1]
	before := wordsOf(t, name)
	// The others wait, so that the victim is the last one to come and carries
	// out the round. Should another one be quicker, the next round does.
	var killed time.Time
	round := uint64(4)
	for ; ; round++ {
		for _, m := range others {
			m.order(order{Do: "Wait"})
		}
		awaitArrived(t, name, round, n-1)
		killed = time.Now()
		victim.order(order{Do: "Wait", Step: step.String(), Visit: visit, Open: !committed(step, visit)})
		r := victim.report()
		if r.Error == "killed" {
			break
		}
		for _, m := range append(slices.Clone(others), victim) {
			if m != victim {
				r = m.report()
			}
			if r.Error != "" {
				t.Fatalf("rank %d, in a round before the death at %v: got %+v", m.rank, step, r)
			}
		}
	}
	returned := ""
	for i, m := range others {
		r := m.report()
		if i > 0 && r.Error != returned {
			t.Errorf("rank %d: got %q, and rank 0 %q: want the same for all", m.rank, r.Error, returned)
		}
		returned = r.Error
		t.Logf("rank %d returns %v after the order to die: %s", m.rank, r.At.Sub(killed), r.Text)
		switch {
		case r.Error == "" && (step == spec.Gather || step == spec.LockRound): // a survivor has carried out the round before the death
		case committed(step, visit):
			if r.Error != "" {
				t.Errorf("rank %d: the round was committed: got %s, want nil", m.rank, r.Text)
			}
		case r.Error != "broken":
			t.Errorf("rank %d: got %+v, want broken", m.rank, r)
		case r.Broken.Rank != victim.rank || r.Broken.Round != round || r.Broken.Step != step || r.Broken.Pid != victim.cmd.Process.Pid || r.Broken.Label != fmt.Sprint("member ", victim.rank):
			t.Errorf("rank %d: got %s, want rank %d, pid %d, round %d, at %v", m.rank, r.Text, victim.rank, victim.cmd.Process.Pid, round, step)
		}
	}
	// The next call tells of the death those who have not been told, and all
	// others that the group is broken.
	for _, m := range others {
		m.order(order{Do: "Wait"})
	}
	for _, m := range others {
		if r := m.report(); r.Error != "broken" {
			t.Errorf("rank %d, next call: got %+v, want broken", m.rank, r)
		}
	}
	if !committed(step, visit) && step > spec.CarryInitExit && step < spec.UnlockRound && !committed(step, 2) {
		before.Exit = int32(n) // as after a call that withdraws at LockEnter
	}
	got := wordsOf(t, name)
	if got.Exit == int32(n) && (step == spec.Gather || step == spec.LockRound) {
		before.Exit = got.Exit // a survivor has taken CarryInitExit before the death
	}
	if got != before {
		t.Errorf("words after the repair: got %v, want %v", got, before)
	}
	again := start(t, name, lockPath, n, victim.rank)
	both(1000, append(slices.Clone(others), again)...)
	for _, m := range append(others, again) {
		m.order(order{Do: "Leave"})
		if r := m.report(); r.Error != "" {
			t.Errorf("Leave of rank %d: got %s, want nil", m.rank, r.Text)
		}
	}
	if _, err := os.Lstat(shm.Dir + name + spec.GroupSuffix); !os.IsNotExist(err) {
		t.Errorf("after the last one left: Lstat: got %v, want no file", err)
	}
}

// awaitArrived waits until so many members have arrived in the round.
func awaitArrived(t *testing.T, name string, round uint64, want int) {
	t.Helper()
	for end := time.Now().Add(deadline); ; {
		s, err := Inspect(name)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, r := range s.Ranks {
			if r.Arrived {
				got++
			}
		}
		if s.Round == round && got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("arrived in round %d: got %d of %d: %+v", round, got, want, s)
		}
	}
}

func wordsOf(t *testing.T, name string) spec.Words {
	t.Helper()
	s := segmentOf(t, name)
	defer s.Close()
	return s.Snapshot()
}

func setWords(t *testing.T, name string, w spec.Words) {
	t.Helper()
	s := segmentOf(t, name)
	defer s.Close()
	storeWords(s, w)
}

func storeWords(s *shm.Segment, w spec.Words) {
	s.Store(spec.Enter, w.Enter)
	s.Store(spec.Exit, w.Exit)
	s.Store(spec.Flag, w.Flag)
}

func segmentOf(t testing.TB, name string) *shm.Segment {
	t.Helper()
	s, err := shm.AttachSegment(t.Context(), name, false, func(spec.Words) error { return shm.ErrConstructed })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestProc_Rounds: many rounds of processes, as after a restart.
func TestProc_Rounds(t *testing.T) {
	const n, rounds = 4, 1000
	name, lockPath := newNames(t)
	var members []*member
	for rank := range n {
		members = append(members, start(t, name, lockPath, n, rank))
	}
	for _, m := range members {
		m.order(order{Do: "Wait", Rounds: rounds})
	}
	for _, m := range members {
		if r := m.report(); r.Error != "" || r.Rounds != rounds {
			t.Errorf("rank %d: got %+v, want %d rounds", m.rank, r, rounds)
		}
	}
	wantWords(t, name, spec.Initial)
}

// TestProc_AllKilled: the next job takes over the group of one whose members are
// all dead, also with another party count.
func TestProc_AllKilled(t *testing.T) {
	for i, after := range []int{2, 3, 2, 3} {
		at := []spec.MemberStep{spec.CarryResetExit, spec.CarryRaiseFlag}[i/2] // in a section; all words are 0 then
		name, lockPath := newNames(t)
		a, b := start(t, name, lockPath, 2, 0), start(t, name, lockPath, 2, 1)
		b.order(order{Do: "Wait"})
		awaitArrived(t, name, 1, 1)
		b.stop() // so that it neither carries out the round nor repairs the words
		a.order(order{Do: "Wait", Step: at.String()})
		if r := a.report(); r.Error != "killed" {
			t.Fatalf("rank 0: got %+v, want killed", r)
		}
		b.cmd.Process.Kill()
		for b.report().Error != "killed" { // it may have returned before
		}
		var members []*Group
		for rank := range after {
			members = append(members, join(t, name, lockPath, after, rank))
			if w := wordsOf(t, name); after != 2 && w != spec.Initial {
				t.Fatalf("when a job with another party count begins: got words %v, want %v", w, spec.Initial)
			}
		}
		wantRounds(t, 50, members...)
	}
}

// TestProc_Stopped: the error of a call whose time is over names a member that
// is stopped, even while that holds the lock, and those that never joined and
// have left.
func TestProc_Stopped(t *testing.T) {
	for _, step := range []spec.MemberStep{spec.Begin, spec.Take} {
		name, lockPath := newNames(t)
		g, stops := join(t, name, lockPath, 2, 0), start(t, name, lockPath, 2, 1)
		ctx, cancel := context.WithCancel(t.Context())
		goOn := make(chan bool)
		g.SetHook(func(s spec.MemberStep) { // it does not carry out the round before the other one
			if s == spec.Gather {
				<-goOn
			}
		})
		done := make(chan error, 1)
		go func() { done <- g.Wait(ctx) }()
		awaitArrived(t, name, 1, 1)
		stops.order(order{Do: "Wait", Step: step.String(), Signal: "stop"})
		stops.awaitStop(g)
		close(goOn)
		cancel()
		err := <-done
		var missing *MissingError
		if !errors.As(err, &missing) || !errors.Is(err, context.Canceled) {
			t.Fatalf("Wait while a member is stopped at %v: got %v, want a MissingError", step, err)
		}
		if want := step == spec.Begin; want != (len(missing.Missing) == 1 && missing.Missing[0].State == Stopped) {
			t.Errorf("missing, with a member that is stopped at %v: got %v", step, missing.Missing)
		}
		stops.cmd.Process.Signal(syscall.SIGCONT)
		if err := g.Wait(t.Context()); err != nil {
			t.Errorf("Wait when the member goes on from %v: got %v, want nil", step, err)
		}
		if r := stops.report(); r.Error != "" {
			t.Errorf("the stopped member: got %s, want nil", r.Text)
		}
	}
}

// TestProc_RetractsAtEachStep ends the context of a call at each step: it
// returns nil if the round was its own, and otherwise leaves no trace.
func TestProc_RetractsAtEachStep(t *testing.T) {
	for _, step := range killable {
		name, lockPath := newNames(t)
		a, b := join(t, name, lockPath, 2, 0), join(t, name, lockPath, 2, 1)
		ctx, cancel := context.WithCancel(t.Context())
		a.SetHook(func(s spec.MemberStep) {
			if s == step {
				cancel()
			}
		})
		other := make(chan error, 1)
		go func() { other <- b.Wait(t.Context()) }()
		awaitArrived(t, name, 1, 1)
		err := a.Wait(ctx)
		if err != nil {
			wantError(t, fmt.Sprintf("Wait whose context ends at %v", step), err, context.Canceled)
			a.SetHook(nil)
			err = a.Wait(t.Context())
		}
		if err := errors.Join(err, <-other); err != nil {
			t.Errorf("Wait after one whose context ended at %v: got %v, want nil", step, err)
		}
		cancel()
	}
}

// TestProc_KilledBesideForeign: the words of a round with a foreign party are
// repaired, too.
func TestProc_KilledBesideForeign(t *testing.T) {
	for _, step := range []spec.MemberStep{spec.Arrive, spec.Take, spec.Ready, spec.CarryResetEnter, spec.CarryResetExit, spec.CarryRaiseFlag, spec.Owe, spec.Turn, spec.Settle} {
		name, lockPath := newNames(t)
		g, victim := join(t, name, lockPath, 3, 0), start(t, name, lockPath, 3, 1)
		b, err := impl.Attach(t.Context(), name, lockPath)
		if err != nil {
			t.Fatal(err)
		}
		foreign, own := make(chan error, 1), make(chan error, 1)
		go func() { foreign <- b.Wait(t.Context(), 3) }()
		for w, err := b.Words(); w.Enter != 1; w, err = b.Words() {
			if err != nil {
				t.Fatal(err)
			}
		}
		visit := 1
		if committed(step, 2) && step == spec.Settle {
			visit = 2
		}
		victim.order(order{Do: "Wait", Step: step.String(), Visit: visit})
		go func() { own <- g.Wait(t.Context()) }()
		err = <-own
		died := victim.report().Error == "killed"
		if died == (err == nil) && !committed(step, visit) {
			t.Errorf("member, beside one killed at %v: %v: got %v", step, died, err)
		}
		if died {
			victim = start(t, name, lockPath, 3, 1)
		}
		if err != nil { // the foreign party still waits in the round
			victim.order(order{Do: "Wait"})
			if err := g.Wait(t.Context()); err != nil {
				t.Errorf("member, after one killed at %v: got %v, want nil", step, err)
			}
			if r := victim.report(); r.Error != "" {
				t.Errorf("new member, after one killed at %v: got %v, want nil", step, r.Text)
			}
		}
		if err := <-foreign; err != nil {
			t.Errorf("foreign party beside one killed at %v: got %v, want nil", step, err)
		}
		b.Close()
	}
}

// TestUnit_Refusals: misuse is refused, and the error names both sides.
func TestUnit_Refusals(t *testing.T) {
	name, lockPath := newNames(t)
	join(t, name, lockPath, 2, 0)
	long := Config{Name: name, LockPath: lockPath, Parties: 2, Rank: 1, Label: string(make([]byte, MaxLabel+1))}
	for _, tc := range []struct {
		what string
		cfg  Config
		want error
	}{
		{"a rank twice", Config{Name: name, LockPath: lockPath, Parties: 2, Rank: 0, Label: "second"}, ErrRank},
		{"another party count", Config{Name: name, LockPath: lockPath, Parties: 3, Rank: 1}, ErrParties},
		{"a rank that is too high", Config{Name: name, LockPath: lockPath, Parties: 2, Rank: 2}, ErrRank},
		{"a negative rank", Config{Name: name, LockPath: lockPath, Parties: 2, Rank: -1}, ErrRank},
		{"no parties", Config{Name: name, LockPath: lockPath, Parties: 0, Rank: 0}, ErrParties},
		{"too many parties", Config{Name: name, LockPath: lockPath, Parties: MaxParties + 1, Rank: 0}, ErrParties},
		{"a long label", long, ErrLabel},
		{"a bad name", Config{Name: "a/b", LockPath: lockPath, Parties: 2, Rank: 1}, impl.ErrName},
	} {
		_, err := Join(t.Context(), tc.cfg)
		wantError(t, "Join with "+tc.what, err, tc.want)
		t.Log(err)
	}
	if err := os.Remove(shm.Dir + name); err != nil {
		t.Fatal(err)
	}
	_, err := Join(t.Context(), Config{Name: name, LockPath: lockPath, Parties: 2, Rank: 1})
	wantError(t, "Join when the barrier was removed and made again", err, ErrStale)
	text := []byte(strconv.Itoa(math.MaxInt32))
	for len(text) < 4096 {
		text = append(text, text...)
	}
	other, _ := newNames(t)
	if err := os.WriteFile(shm.Dir+other+spec.GroupSuffix, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Join(t.Context(), Config{Name: other, LockPath: lockPath, Parties: 2, Rank: 1})
	wantError(t, "Join of what is no group", err, ErrVersion)
}

// TestProc_Reset: after Reset the rank of the dead is vacant, and a foreign
// party can have it.
func TestProc_Reset(t *testing.T) {
	name, lockPath := newNames(t)
	g, victim := join(t, name, lockPath, 2, 0), start(t, name, lockPath, 2, 1)
	victim.order(order{Do: "Wait", Step: spec.Begin.String()})
	wantError(t, "Wait beside one that dies", g.Wait(t.Context()), ErrBroken)
	var steps []spec.MemberStep
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g.SetHook(func(s spec.MemberStep) {
		if steps = append(steps, s); s != spec.Begin {
			cancel()
		}
	})
	wantError(t, "Wait in a broken group", g.Wait(ctx), ErrBroken)
	if !slices.Equal(steps, []spec.MemberStep{spec.Begin}) {
		t.Errorf("Wait in a broken group: got steps %v, want Begin alone", steps)
	}
	g.SetHook(nil)
	if err := g.Reset(); err != nil {
		t.Fatalf("Reset: got %v, want nil", err)
	}
	if s, err := g.Status(); err != nil || s.Broken || s.Ranks[0].State != Outside || s.Ranks[1].State != Left {
		t.Errorf("after Reset: got %+v, %v, want that the rank of the dead alone is vacant", s, err)
	}
	b, err := impl.Attach(t.Context(), name, lockPath)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- b.Wait(t.Context(), 2) }()
	if err := errors.Join(g.Wait(t.Context()), <-done); err != nil {
		t.Errorf("Wait with a foreign party after Reset: got %v, want nil", err)
	}
}
