package tlc

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
)

// TestUnit_Validate: what TLC prints is read into a Reading of each trace, with
// the states that have read the most, and TLC gets the traces. What is not as
// TraceSharedBarrier prints it is an error.
func TestUnit_Validate(t *testing.T) {
	record := func(read, able string) string {
		return `"[trace |-> 2, read |-> ` + read + `, numbered |-> 0, enter |-> 0, exit |-> -1, flag |-> 1, lock |-> 1, pc |-> (0 :> \"LockInit\" @@ 1 :> \"InitExit\"), ` +
			`rounds |-> (0 :> 0 @@ 1 :> 0), count |-> (0 :> 2 @@ 1 :> 2), dead |-> {1}, able |-> ` + able + `, wrong |-> {[proc |-> 0, label |-> \"LockInit\", part |-> \"lock\"]}]"` + "\n"
	}
	explained := "<<\"explained\", 1, 0>>\n<<\"explained\", 2, 0>>\n<<\"explained\", 2, 1>>\n"
	success := message(msgSuccess, 0, "") + message(msgStats, 0, "9 states generated, 7 distinct states found, 0 states left on queue.")
	traces := []*accept.Trace{{Procs: 1}, {Procs: 2, Events: []accept.Event{
		{Label: "Call", Parties: 2}, {Label: "InitExit", Number: 1, Words: spec.Words{Enter: math.MinInt32}}, {Label: "Call", Parties: 3},
	}}}
	for _, c := range []struct {
		name, prints string
		want         error
	}{
		{"a rejection", explained + record("1", "{0}") + record("2", "{}") + record("2", "{1}") + success, nil},
		{"nothing", success, ErrTLC},
		{"no record", explained + `"[trace |-> 2]"` + "\n" + success, ErrTLC},
		{"no step", explained + strings.Replace(record("1", "{0}"), "InitExit", "Init", 1) + success, nil},
		{"a violation", explained + message(msgInvariant, 1, "Invariant TypeOK is violated."), ErrTLC},
	} {
		r, dir := asTLC(t, "cat Recorded.tla TraceSharedBarrier.cfg >$LEFT/given\n"+saying(c.prints))
		var progress []int64
		got, out, err := r.Validate(context.Background(), traces, true, func(n int64) { progress = append(progress, n) })
		switch {
		case c.name == "no step" && err == nil, c.name != "no step" && !errors.Is(err, c.want):
			t.Errorf("%s: Validate: got %v, want %v", c.name, err, c.want)
		case c.name == "a rejection":
			if len(got) != 2 || got[0].Explained != 0 || got[1].Explained != 1 || len(got[1].States) != 2 || out.Distinct != 7 || len(progress) != 3 || progress[2] != 1 {
				t.Fatalf("Validate: got %+v, %+v, progress %v; want 0 and 1 events explained, and two states", got, out, progress)
			}
			rejection := got[1].Rejection(traces[1])
			if rejection.Line != 3 || rejection.Part != accept.Lock || rejection.Why != "p0 acquires the lock, which p1 holds" ||
				strings.Join(rejection.Could, ", ") != "waits at LockInit, is dead" || rejection.States[0].Procs[1].Step != spec.InitExit {
				t.Errorf("Rejection: got %+v", rejection)
			}
			given, _ := os.ReadFile(filepath.Join(dir, "given"))
			for _, want := range []string{`<<0, "InitExit", 1, 0, 0, <<(-2147483647 - 1), 0, 0>>, FALSE>>`, "N = 2 ", "EveryOrder = TRUE"} {
				if !strings.Contains(string(given), want) {
					t.Errorf("TLC was given %s, want %q in it", given, want)
				}
			}
		}
	}
}
