//go:build linux

package inspect_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec/golden"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port/porttest"
)

// joins is a member of 3 that says ready. Then it waits, or it does nothing, or
// it calls without end.
func joins() {
	rank, err := strconv.Atoi(os.Args[3])
	var g *group.Group
	if err == nil {
		g, err = group.Join(context.Background(), group.Config{Name: os.Args[1], LockPath: os.Args[2], Parties: 3, Rank: rank, Label: "loader " + os.Args[3]})
	}
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	switch os.Args[4] {
	case "waits":
		g.Wait(context.Background())
	case "loops":
		for err == nil {
			err = g.Wait(context.Background())
		}
	}
	select {}
}

// TestProc_Group: the report has the group of the barrier: who waits, who is
// missing and why, and who is dead. A wait in a group is no hang, though no word
// moves: what is written in the words says nothing of it.
func TestProc_Group(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	start := func(rank int, how string) *exec.Cmd {
		t.Helper()
		return startParty(t, reexec.Command(t.Context(), "joins", segment, lockPath, fmt.Sprint(rank), how), nil)
	}
	schema := golden.Schema(t, "report.schema.json")
	check := func(when string, status inspect.Status, says string, states ...group.State) {
		t.Helper()
		looks := lookFor
		if status == inspect.Moving {
			looks = seenToMove
		}
		r := looks(t, inspect.Target{Segment: segment, LockPath: lockPath}, inspect.Options{For: short})
		var text, line strings.Builder
		r.Text(&text)
		if r.Status != status || r.Group == nil || r.Procs != 3 {
			t.Fatalf("%s: status %q, want %q, of 3, with a group\n%s", when, r.Status, status, text.String())
		}
		for rank, want := range states {
			got := r.Group.Ranks[rank].State
			if row := fmt.Sprintf("\n%d     %s", rank, want); got != want || !strings.Contains(text.String(), row) {
				t.Errorf("%s: rank %d is %s, want %s\n%s", when, rank, got, want, text.String())
			}
		}
		if !strings.Contains(text.String(), says) {
			t.Errorf("%s: want %q in\n%s", when, says, text.String())
		}
		if strings.Contains(text.String(), "round 0") {
			t.Errorf("%s: want no round of a rank that has not called in\n%s", when, text.String())
		}
		if err := r.JSON(&line); err != nil {
			t.Fatal(err)
		}
		object := golden.JSON(t, line.String()).(map[string]any)
		if err := schema.Validate(object); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if delete(object["group"].(map[string]any), "round"); schema.Validate(object) == nil {
			t.Errorf("%s: a group without a round fits the schema", when)
		}
	}
	waits, idle := start(0, "waits"), start(1, "idles")
	awaitGroup(t, segment, func(s group.Status) bool {
		w, err := b.Words()
		return err == nil && w.Exit == 3 && s.Ranks[0].Arrived // its first section sets exit
	})
	check("one waits", inspect.Waiting, "rank 0 waits in round 1 of the group, which misses rank 1 (loader 1, pid ", group.Arrived, group.Outside, group.NeverJoined)
	idle.Process.Signal(syscall.SIGSTOP)
	awaitGroup(t, segment, func(s group.Status) bool { return s.Ranks[1].State == group.Stopped })
	check("one is stopped", inspect.HeldUp, "rank 1 (loader 1, pid ", group.Arrived, group.Stopped, group.NeverJoined)
	idle.Process.Kill()
	awaitGroup(t, segment, func(s group.Status) bool { return s.Broken && !s.Ranks[0].Arrived })
	check("one is dead", inspect.Idle, "dead in the group: rank 1 (loader 1, pid ", group.Outside, group.Dead, group.NeverJoined)
	waits.Process.Kill()
	idle.Wait()
	waits.Wait()
	for rank := range 3 {
		start(rank, "loops")
	}
	check("control: they call without end", inspect.Moving, "Group: round ")
}

func awaitGroup(t *testing.T, segment string, is func(group.Status) bool) {
	t.Helper()
	for {
		s, err := group.Inspect(segment)
		if err != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
		if is(s) {
			return
		}
	}
}
