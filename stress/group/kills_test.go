//go:build linux

package group_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sharedbarrier/spec"
)

// length is how long TestProc_KilledAtRandom kills. By hand:
//
//	go test ./stress/group -run KilledAtRandom -v -timeout 0 -for 10m
var (
	length = flag.Duration("for", 0, "how long TestProc_KilledAtRandom kills (0: a few kills)")
	seed   = flag.Uint64("seed", 1, "seed of its kills")
)

// deaths are those at each step that a member can take in a call of a round in
// which no other one has died, and a foreign party has come.
func deaths() (list []death) {
	for _, s := range slices.Concat(spec.MemberCallSteps, spec.SectionSteps) {
		switch s {
		case spec.Watch, spec.Retract, // not of such a call
			spec.Reopen, spec.UndoEnter, spec.UndoExit, spec.UndoFlag, spec.Mark, spec.TurnBroken, // of a repair
			spec.CarryLowerFlag: // without a foreign party
		case spec.Wake:
			list = append(list, death{Step: s.String(), Committed: true})
		case spec.Gather, spec.UnlockRound, spec.Settle, spec.Break:
			list = append(list, death{Step: s.String()}, death{Step: s.String(), Committed: true})
		default:
			list = append(list, death{Step: s.String()})
		}
	}
	return list
}

// TestProc_KilledBesideOriginal kills a member at each step by SIGKILL, one
// after the other, while a process of the published original is a party of the
// same rounds. Each survivor is told who died, and where; then the rank is
// joined anew, and rounds go on. The original notices nothing. Package group
// has the same without the original.
func TestProc_KilledBesideOriginal(t *testing.T) {
	t.Parallel()
	for _, members := range []int{1, 2} {
		t.Run(fmt.Sprintf("n=%d", members+1), func(t *testing.T) {
			m := newTeam(t, members, true)
			m.awaitRounds(3)
			m.kill(0)
			var told []time.Duration
			for _, d := range deaths() {
				d.After = 2
				m.start(0, d)
				m.await("the member dies at "+d.String(), func() bool { return m.ranks[0].gone })
				told = append(told, m.checkTold(d)...)
			}
			m.start(0, death{})
			m.awaitRounds(30)
			m.finish()
			if limit := []int{len(deaths()), 0}[members-1]; m.judge.skipped > limit {
				t.Errorf("the original returned from %d calls in rounds of which no member did, want at most %d", m.judge.skipped, limit)
			}
			t.Logf("%d deaths, %d rounds, %d calls of the original", len(deaths()), m.judge.passed, m.calls)
			if slices.Sort(told); len(told) > 0 {
				t.Logf("the survivor is told after %v (median), %v at most", told[len(told)/2], told[len(told)-1])
			}
		})
	}
}

// TestProc_KilledInRepair kills, one after the other, a member before it commits
// a round, the one that repairs the words after it, and the one that joins next,
// the latter two at each step of a repair and of Join. The original waits all
// the time, and returns when two members have joined that live.
func TestProc_KilledInRepair(t *testing.T) {
	t.Parallel()
	m := newTeam(t, 2, true)
	m.awaitRounds(3)
	repairs := []spec.MemberStep{spec.Reopen, spec.UndoEnter, spec.UndoExit, spec.UndoFlag, spec.Mark, spec.TurnBroken}
	joins := []spec.MemberStep{spec.Bury, spec.Claim, spec.Mend}
	for _, s := range slices.Concat(repairs, joins) {
		dies := spec.TurnBroken
		if slices.Contains(repairs, s) {
			dies = s
		}
		m.kill(0)
		m.kill(1)
		m.start(1, death{Step: dies.String(), Any: true, After: 1})
		m.start(0, death{Step: spec.CarryRaiseFlag.String(), After: 2})
		m.await(fmt.Sprintf("a member and the one that repairs die, at %v", dies), func() bool { return m.ranks[0].gone && m.ranks[1].gone })
		m.start(0, death{Step: s.String(), Any: true})
		m.await(fmt.Sprintf("one that joins dies at %v", s), func() bool { return m.ranks[0].gone })
		m.start(0, death{})
		m.start(1, death{})
		m.awaitRounds(5)
	}
	m.finish()
	if limit := len(repairs) + len(joins); m.judge.skipped > limit { // by the kills at any moment
		t.Errorf("the original returned from %d calls in rounds of which no member did, want at most %d", m.judge.skipped, limit)
	}
	t.Logf("%d rounds, %d calls of the original", m.judge.passed, m.calls)
}

// checkTold waits until each survivor is told that rank 0 has died, and returns
// how long after the death that was. The survivors were in the same round: they
// have returned nil from it if the dead had committed it, and otherwise not.
func (m *team) checkTold(d death) (after []time.Duration) {
	m.Helper()
	dead := m.ranks[0]
	switch {
	case dead.death == nil:
		m.Fatalf("rank 0 ended before it came to %v", d)
	case d.Committed && !dead.death.Done:
		m.Fatalf("rank 0 died at %v before the commit", d)
	}
	for number, r := range m.ranks[1:] {
		told := -1
		m.await(fmt.Sprintf("rank %d is told of a death at %v", number+1, d), func() bool {
			told = slices.IndexFunc(r.broken, func(e event) bool { return e.Broken.Pid == dead.cmd.Process.Pid })
			return told >= 0
		})
		e := r.broken[told]
		if got := e.Broken; got.Rank != 0 || got.Step.String() != d.Step || got.Label != "member 0" {
			m.Errorf("rank %d is told of a death at %v: got %v", number+1, d, got)
		}
		switch inRound := d.Step != spec.Begin.String() && d.Step != spec.Arrive.String(); {
		case dead.death.Done && r.last < dead.death.Round:
			m.Errorf("rank %d: round %d was committed before a death at %v: it returned nil from %d last", number+1, dead.death.Round, d, r.last)
		case inRound && !dead.death.Done && (r.last >= dead.death.Round || e.Round != dead.death.Round):
			m.Errorf("rank %d: a death at %v in round %d: it returned nil from %d last, and is told of %d", number+1, d, dead.death.Round, r.last, e.Round)
		}
		after = append(after, time.Duration(e.At-dead.death.At))
	}
	return after
}

// kill kills the rank's member, and waits until its process is gone.
func (m *team) kill(number int) {
	m.Helper()
	r := m.ranks[number]
	r.cmd.Process.Kill()
	m.await(fmt.Sprintf("rank %d is gone", number), func() bool { return r.gone })
}

// TestProc_KilledAtRandom kills a member at any moment, again and again, every
// 50 ms on the average, also while it joins and while another one is dead. A
// new process joins with the rank each time. No call hangs, or returns early,
// or returns what others of its round do not; and nothing is left.
func TestProc_KilledAtRandom(t *testing.T) {
	t.Parallel()
	for _, withOriginal := range []bool{false, true} {
		t.Run(fmt.Sprintf("original=%v", withOriginal), func(t *testing.T) {
			t.Parallel()
			t.Logf("-seed %d", *seed)
			random := rand.New(rand.NewPCG(*seed, 1))
			m := newTeam(t, 3, withOriginal)
			end := time.Now().Add(*length)
			kills := 0
			for ; kills < 20 || time.Now().Before(end); kills++ {
				time.Sleep(time.Duration(random.Int64N(int64(100 * time.Millisecond)))) // any moment will do
				number := random.IntN(len(m.ranks))
				m.kill(number)
				if random.IntN(4) == 0 { // two at once
					m.kill((number + 1) % len(m.ranks))
					m.start((number+1)%len(m.ranks), death{})
				}
				m.start(number, death{})
				if random.IntN(4) > 0 { // else it may be killed while it joins
					m.awaitJoined()
				}
				if kills%8 == 0 {
					m.awaitRounds(5)
					m.concludePassed()
				}
			}
			m.awaitJoined()
			m.awaitRounds(20)
			m.finish()
			if m.judge.passed == 0 || m.judge.skipped > kills {
				t.Errorf("%d rounds were complete, and %d calls of the original returned in none of these", m.judge.passed, m.judge.skipped)
			}
			told := 0
			for _, r := range m.ranks {
				told += r.told
			}
			t.Logf("%d kills, %d rounds, %d calls were told", kills, m.judge.passed, told)
		})
	}
}

// concludePassed judges the rounds that all ranks have passed.
func (m *team) concludePassed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := m.ranks[0].last
	for _, r := range m.ranks {
		limit = min(limit, r.last)
		r.broken = r.broken[:0]
	}
	m.judge.conclude(limit, m.original != nil)
}
