//go:build linux

package group_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/scratch"
)

// A team is a group of member processes that call without pause, with one
// original as a further party or without. A judge hears of each call.
type team struct {
	*testing.T
	config group.Config // without a rank

	mu      sync.Mutex // guards the rest
	changed *sync.Cond
	events  int
	judge   *judge
	ranks   []*rank

	original *port.Port // nil: there is none
	calls    int        // of the original, that have returned
	stopping bool       // the original makes no further call
	stopped  bool
}

// A rank is what is known of the members that a rank has had, one after the
// other.
type rank struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	joined   bool
	left     bool
	gone     bool    // the newest member's process
	death    *event  // what it says before it kills itself
	broken   []event // of all members
	told     int     // how many that were
	returned int     // calls of all members that returned nil
	last     uint64  // the round of the last one
	open     *call
}

func newTeam(t *testing.T, members int, withOriginal bool) *team {
	t.Helper()
	files, err := scratch.Make("", "test")
	if err != nil {
		t.Fatal(err)
	}
	m := &team{T: t, judge: newJudge(members)}
	m.config = group.Config{Name: files.Segment, LockPath: filepath.Join(files.Dir, "lock"), Parties: members}
	m.changed = sync.NewCond(&m.mu)
	t.Cleanup(func() {
		for _, r := range m.ranks {
			r.cmd.Process.Kill()
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	if withOriginal {
		porttest.Need(t, "python")
		m.config.Parties++
	}
	for number := range members {
		m.ranks = append(m.ranks, &rank{})
		m.start(number, death{})
	}
	m.awaitJoined()
	if withOriginal {
		if m.original, err = registry.Start(t.Context(), "python"); err == nil {
			t.Cleanup(m.original.Kill)
			err = m.original.Open(m.config.Name, m.config.LockPath)
		}
		if err != nil {
			t.Fatal(err)
		}
		go m.callOriginal()
	}
	return m
}

// start starts a new member of the rank, which has none. The team's lock is not
// held.
func (m *team) start(number int, d death) {
	m.Helper()
	cmd := reexec.Command(context.Background(), "member")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	out := reexec.Start(m, cmd)
	o := order{m.config, d}
	o.Rank, o.Label = number, fmt.Sprint("member ", number)
	if err := json.NewEncoder(in).Encode(o); err != nil {
		m.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.ranks[number]
	r.cmd, r.in, r.joined, r.left, r.gone, r.death, r.open = cmd, in, false, false, false, nil, nil
	go m.listen(number, cmd, out)
}

// listen reads what a member writes, until its process has ended.
func (m *team) listen(number int, cmd *exec.Cmd, out io.Reader) {
	r := m.ranks[number]
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var e event
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			m.Errorf("rank %d: it writes %q: %v", number, scan.Text(), err)
			break
		}
		m.hear(number, e)
	}
	err := cmd.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.open != nil { // it was killed
		r.open.end = clock()
		m.judge.cut = append(m.judge.cut, r.open)
	}
	if !r.left && err != nil && err.Error() != "signal: killed" {
		m.Errorf("rank %d ends: %v", number, err)
	}
	r.gone = true
	m.happened()
}

func (m *team) hear(number int, e event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.ranks[number]
	switch e.What {
	case "joined":
		r.joined = true
	case "call":
		r.open = &call{number, e.At, pending}
	case "nil":
		r.open.end = e.At
		m.judge.returned(e.Round, *r.open)
		r.open, r.last = nil, e.Round
		r.returned++
	case "broken":
		m.judge.broke(e.Round, number)
		r.open = nil
		r.broken = append(r.broken, e)
		r.told++
	case "ended":
		r.open = nil
	case "dies":
		r.death = &e
	case "left":
		r.left = true
	}
	m.happened()
}

// callOriginal makes calls of the original until the team stops it.
func (m *team) callOriginal() {
	for {
		c := &call{m.judge.ranks, clock(), pending}
		m.mu.Lock()
		if m.stopping {
			m.stopped = true
			m.happened()
			m.mu.Unlock()
			return
		}
		m.judge.foreign = append(m.judge.foreign, c)
		m.mu.Unlock()
		err := m.original.Wait(m.Context(), m.config.Parties)
		end := clock()
		m.mu.Lock()
		if err != nil {
			if m.Context().Err() == nil {
				m.Errorf("the original: %v", err)
			}
			m.mu.Unlock()
			return
		}
		c.end = end
		m.calls++
		m.happened()
		m.mu.Unlock()
	}
}

func (m *team) happened() {
	m.events++
	m.changed.Broadcast()
}

// patience is how long nothing may happen on the slowest machine.
const patience = 2 * time.Minute

// await waits until done returns true. It fails if nothing happens: a hang.
func (m *team) await(what string, done func() bool) {
	m.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for !done() {
		seen := m.events
		wake := time.AfterFunc(patience, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.changed.Broadcast()
		})
		m.changed.Wait()
		if !wake.Stop() && m.events == seen {
			s, err := group.Inspect(m.config.Name)
			m.Fatalf("it hangs, and does not come to that %s: %+v %v", what, s, err)
		}
	}
}

func (m *team) all(is func(*rank) bool) bool {
	for _, r := range m.ranks {
		if !is(r) {
			return false
		}
	}
	return true
}

func (m *team) awaitJoined() {
	m.Helper()
	m.await("all members have joined", func() bool { return m.all(func(r *rank) bool { return r.joined }) })
}

// awaitRounds waits until each rank has returned nil so many times more, and so
// has the original.
func (m *team) awaitRounds(more int) {
	m.Helper()
	m.mu.Lock()
	want, calls := []int{}, m.calls+more
	for _, r := range m.ranks {
		want = append(want, r.returned+more)
	}
	m.mu.Unlock()
	m.await(fmt.Sprintf("%d more rounds are complete", more), func() bool {
		for i, r := range m.ranks {
			if r.returned < want[i] {
				return false
			}
		}
		return m.original == nil || m.calls >= calls
	})
}

// finish ends the calls of the original and those of the members, which leave.
// It reports what the judge has found, and what is left behind.
func (m *team) finish() {
	m.Helper()
	if m.original != nil {
		m.mu.Lock()
		m.stopping = true
		m.mu.Unlock()
		m.await("the original has returned from its last call", func() bool { return m.stopped })
	}
	for _, r := range m.ranks {
		r.in.Close()
	}
	m.await("all members have left", func() bool { return m.all(func(r *rank) bool { return r.left && r.gone }) })
	m.judge.conclude(1<<62, m.original != nil)
	for _, fault := range m.judge.faults[:min(10, len(m.judge.faults))] {
		m.Error(fault)
	}
	entries, err := os.ReadDir("/dev/shm")
	if err != nil {
		m.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), m.config.Name) && e.Name() != m.config.Name {
			m.Errorf("left in /dev/shm: %s", e.Name())
		}
	}
	words, err := os.ReadFile("/dev/shm/" + m.config.Name)
	if err != nil || len(words) != spec.Size {
		m.Errorf("the segment: %q, %v", words, err)
	}
	if m.original == nil {
		return
	}
	if err := m.original.Close(); err != nil {
		m.Error(err)
	}
}
