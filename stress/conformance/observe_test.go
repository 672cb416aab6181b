//go:build linux

package conformance

import (
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
)

// refuses has the port give up, and call with words for which it answers with an
// error, and waits for that.
func refuses(p *play) {
	p.ask("giveup", port.Withdrawn)
	p.set(spec.Enter, 2)
	p.send("call 1")
	for left := p.patience(); !left.Spent(); time.Sleep(time.Millisecond) {
		if _, failed := p.port.Failed(); failed {
			return
		}
	}
}

// TestHazard_Observed plants one fault in what is seen of a right port that
// waits in a call of 2: it must be a mistake, and without the fault there is
// none.
func TestHazard_Observed(t *testing.T) {
	porttest.Need(t, "c")
	goPort := "exec:" + porttest.GoPort(t)
	saying := func(instead string) string {
		return goPort + ` | while read -r line; do case $line in returned) ` + instead + `;; *) echo "$line";; esac; done`
	}
	store := func(w spec.Word, v int32) func(*play) { return func(p *play) { p.set(w, v) } }
	completed := append([]string{"call 2"}, peer(completes...)...)
	for _, c := range []struct {
		name, port string
		moves      []string
		fault      func(*play)
		want       string // empty: no mistake
	}{
		{"nothing", "go", []string{"call 2"}, func(*play) {}, ""},
		{"enter", "go", []string{"call 2"}, store(spec.Enter, 2), "enter=2 exit=2 flag=0; right is enter=1"},
		{"exit", "go", []string{"call 2"}, store(spec.Exit, 1), "enter=1 exit=1 flag=0; right is enter=1 exit=2"},
		{"flag", "go", []string{"call 2"}, store(spec.Flag, 3), "flag="},
		{"its answer", saying("echo returned"), completed, func(*play) {}, ""},
		{"another answer", saying("echo withdrawn"), completed, func(*play) {}, `the answer "withdrawn"`},
		{"an error with the lock", "c@keep-lock-on-error", []string{"call 2"}, refuses, "and keeps the lock"},
		{"an answer too many", "go", []string{"call 2"}, func(p *play) { p.send("call 1"); p.awaitRest() }, "answer"},
	} {
		s := newSubject(t.Context(), c.port)
		s.can.White, s.can.Withdraw = true, true
		p := s.newPlay(2)
		p.do(c.moves...)
		if c.want == "" || c.moves[len(c.moves)-1] == "call 2" {
			if p.err != nil {
				t.Errorf("%s: before the fault: got %v", c.name, p.err)
			}
		}
		if p.err == nil {
			c.fault(p)
			p.observe()
		}
		if accuses(p.err) != (c.want != "") || c.want != "" && !strings.Contains(p.err.Error(), c.want) {
			t.Errorf("%s: observe: got %v, want %q", c.name, p.err, c.want)
		}
		p.close()
	}
}
