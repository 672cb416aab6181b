//go:build linux

package run

import (
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// TestUnit_MovedLast: what moved last is what differs at the last look that
// differs, worker by worker.
func TestUnit_MovedLast(t *testing.T) {
	var m move
	start := time.Unix(1000, 0)
	call := func(begun, returned int64, step spec.Step) oracle.Entry {
		return oracle.Entry{Begun: begun, Returned: returned, Step: step}
	}
	for i, c := range []struct {
		entries []oracle.Entry
		at      int // the look at which they moved last
		want    string
	}{
		{[]oracle.Entry{call(1, 0, spec.LockInit), call(1, 0, spec.LockInit), {}}, 0, "worker 0-1 began call 1"},
		{[]oracle.Entry{call(1, 0, spec.LockInit), call(1, 0, spec.AwaitFlag), {}}, 1, "worker 1 came to AwaitFlag"},
		{[]oracle.Entry{call(1, 0, spec.LockInit), call(1, 0, spec.AwaitFlag), {}}, 1, "worker 1 came to AwaitFlag"},
		{[]oracle.Entry{call(1, 1, spec.Call), call(1, 0, spec.AwaitFlag), call(1, 0, spec.Call)}, 3, "worker 0 returned from call 1; worker 2 began call 1"},
	} {
		m.note(start.Add(time.Duration(i)*time.Second), c.entries)
		if got := m.String(); got != c.want || m.at != start.Add(time.Duration(c.at)*time.Second) {
			t.Errorf("look %d: %q at %v, want %q at look %d", i, got, m.at, c.want, c.at)
		}
	}
}

// TestUnit_AutopsyOfARun: the rows name the workers by number.
func TestUnit_AutopsyOfARun(t *testing.T) {
	h := Hang{Missing: "2, 5-6", Holder: -1, HolderPID: 77, Waiters: []int{8, 9}, Since: 2, MovedLast: "worker 0 returned from call 7", Words: &spec.Words{Enter: 1, Exit: 7}}
	for i, state := range []string{"running", "running", "signal: killed", "stopped", "unknown", "exit status 2", "signal: killed"} {
		h.Workers = append(h.Workers, Worker{Worker: i, State: state, Begun: 8 - int64(i/4), Returned: 7 - int64(i/4)})
	}
	var got strings.Builder
	table := tabwriter.NewWriter(&got, 0, 0, 1, ' ', 0)
	h.Autopsy().Rows(table)
	table.Flush()
	want := `missing     worker 2, 5-6 of 7
alive       0-1, 4
stopped     3
dead        2, 6 (signal: killed); 5 (exit status 2)
other round 4-6 in call 7, the others in call 8
lock        held by process 77, which belongs to no worker; waiting: process 8-9
words       enter=1 exit=7 flag=0
moved last  2.0s ago: worker 0 returned from call 7
`
	if got.String() != want {
		t.Errorf("the autopsy is\n%swant\n%s", got.String(), want)
	}
}
