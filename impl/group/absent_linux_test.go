package group

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// TestProc_OtherNamespaces: members in PID namespaces of their own, where they
// have the same numbers, are told of each other's deaths, and of those outside.
func TestProc_OtherNamespaces(t *testing.T) {
	own := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	probe := exec.Command("/proc/self/exe", "-test.list", "^$")
	probe.SysProcAttr = own
	if err := probe.Run(); reexec.NoNamespace(err) {
		t.Skip("no PID namespace of its own: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	name, lockPath := newNames(t)
	const n = 3
	namespaces := [n]*syscall.SysProcAttr{nil, own, own}
	var members [n]*member
	for rank := range n {
		members[rank] = startIn(t, namespaces[rank], name, lockPath, n, rank)
	}
	rounds := func() {
		t.Helper()
		for _, m := range members {
			m.order(order{Do: "Wait", Rounds: 100})
		}
		for _, m := range members {
			if r := m.report(); r.Error != "" || r.Rounds != 100 {
				t.Errorf("rank %d: got %+v, want 100 rounds", m.rank, r)
			}
		}
	}
	rounds()
	for dead, pid := range [n]int{members[0].cmd.Process.Pid, 1, 1} {
		var told []*member
		for _, m := range members {
			if m.rank != dead {
				m.order(order{Do: "Wait"})
				told = append(told, m)
			}
		}
		members[dead].cmd.Process.Kill()
		for _, m := range told {
			if r := m.report(); r.Error != "broken" || r.Broken.Rank != dead || r.Broken.Pid != pid {
				t.Errorf("rank %d, when rank %d dies: got %+v, want that it is told, with pid %d", m.rank, dead, r, pid)
			}
		}
		members[dead] = startIn(t, namespaces[dead], name, lockPath, n, dead)
		rounds()
	}
}

// TestProc_GuardianStopped: while the process is stopped whose guardian watches
// another member, the death of that one is noticed by those who wait; it may
// hold the lock: then their calls end with their contexts. When it goes on it is
// told, too.
func TestProc_GuardianStopped(t *testing.T) {
	t.Parallel()
	for _, step := range []spec.MemberStep{spec.Begin, spec.Gather, spec.Take} {
		t.Run(step.String(), func(t *testing.T) {
			name, lockPath := newNames(t)
			g, stops, dies := join(t, name, lockPath, 3, 0), start(t, name, lockPath, 3, 1), start(t, name, lockPath, 3, 2)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			goOn := make(chan bool)
			g.SetHook(func(s spec.MemberStep) {
				if s == spec.Gather {
					<-goOn
				}
			})
			done := make(chan error, 1)
			go func() { done <- g.Wait(ctx) }()
			dies.order(order{Do: "Wait", Step: spec.Gather.String(), Signal: "stay"})
			awaitArrived(t, name, 1, 2)
			stops.order(order{Do: "Wait", Step: step.String(), Signal: "stop"})
			stops.awaitStop(g)
			dies.cmd.Process.Kill()
			if r := dies.report(); r.Error != "killed" {
				t.Fatalf("rank 2: got %+v, want a death", r)
			}
			close(goOn)
			if step == spec.Take { // with the lock
				cancel()
			}
			err := <-done
			var missing *MissingError
			switch {
			case step != spec.Take:
				wantDeathOf(t, "Wait", err, dies)
			case !errors.As(err, &missing) || !errors.Is(err, context.Canceled) || len(missing.Missing) != 1 || missing.Missing[0].State != Dead:
				t.Errorf("Wait whose context ends while a stopped member has the lock: got %v, want that rank 2 is missing", err)
			}
			stops.cmd.Process.Signal(syscall.SIGCONT)
			if r := stops.report(); r.Error != "broken" || r.Broken.Rank != 2 {
				t.Errorf("rank 1, when it goes on: got %+v, want that it is told of rank 2", r)
			}
			if step == spec.Take {
				wantDeathOf(t, "Wait after that", g.Wait(t.Context()), dies)
			}
			again := start(t, name, lockPath, 3, 2)
			for _, m := range []*member{stops, again} {
				m.order(order{Do: "Wait"})
			}
			if err := g.Wait(t.Context()); err != nil {
				t.Errorf("Wait when the rank has been joined anew: got %v, want nil", err)
			}
			for _, m := range []*member{stops, again} {
				if r := m.report(); r.Error != "" {
					t.Errorf("rank %d: got %s, want nil", m.rank, r.Text)
				}
			}
		})
	}
}

// awaitStop waits until the process has stopped, and wants that Status says so.
func (m *member) awaitStop(g *Group) {
	m.t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(m.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		m.t.Fatalf("rank %d: wait for a stop: got %v, %v", m.rank, status, err)
	}
	if s, err := g.Status(); err != nil || s.Ranks[m.rank].State != Stopped {
		m.t.Fatalf("rank %d has stopped: got %+v, %v, want that it says so", m.rank, s, err)
	}
}

func wantDeathOf(t *testing.T, call string, err error, m *member) {
	t.Helper()
	var broken *BrokenError
	if !errors.As(err, &broken) || broken.Rank != m.rank || broken.Pid != m.cmd.Process.Pid {
		t.Errorf("%s: got %v, want that it is told of rank %d, pid %d", call, err, m.rank, m.cmd.Process.Pid)
	}
}

// TestProc_ToldLater: a member that was not in a call is told of deaths at its
// next one, even if the ranks have been joined anew. Until all have been, the
// group is broken.
func TestProc_ToldLater(t *testing.T) {
	name, lockPath := newNames(t)
	const n = 3
	g := join(t, name, lockPath, n, 0)
	broken := func(want bool) bool {
		t.Helper()
		s, err := g.Status()
		if err != nil {
			t.Fatal(err)
		}
		return s.Broken == want
	}
	first := start(t, name, lockPath, n, 1)
	second := start(t, name, lockPath, n, 2)
	for _, m := range []*member{first, second} {
		m.cmd.Process.Kill()
		if r := m.report(); r.Error != "killed" {
			t.Fatalf("rank %d: got %+v, want a death", m.rank, r)
		}
		if owner := g.slots[m.rank].owner.Load(); !died(owner) { // by the kernel
			t.Fatalf("rank %d is dead: got owner %#x, want that it says so", m.rank, owner)
		}
		for g.slots[m.rank].broken.Load() == 0 || !broken(true) { // until the guardian has seen it
		}
	}
	again := []*member{start(t, name, lockPath, n, 1)}
	if !broken(true) {
		t.Error("one of two dead members is replaced: got a group that is not broken")
	}
	again = append(again, start(t, name, lockPath, n, 2))
	if !broken(false) {
		t.Error("both dead members are replaced: got a broken group")
	}
	for _, m := range again {
		if got := g.slots[m.rank].broken.Load(); got != 0 {
			t.Errorf("rank %d, joined anew: got broken %d, want 0", m.rank, got)
		}
		m.order(order{Do: "Wait"})
	}
	var told *BrokenError
	if err := g.Wait(t.Context()); !errors.As(err, &told) {
		t.Fatalf("first Wait after the deaths: got %v, want a BrokenError", err)
	}
	if err := g.Wait(t.Context()); err != nil {
		t.Errorf("Wait after that: got %v, want nil", err)
	}
	for _, m := range again {
		if r := m.report(); r.Error != "" {
			t.Errorf("rank %d: got %s, want nil", m.rank, r.Text)
		}
	}
}
