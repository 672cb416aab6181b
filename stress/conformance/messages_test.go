//go:build linux

package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/port/porttest"
)

// TestGolden_Messages pins what a user reads about a port that is wrong: the
// step, the command that shows more, what the port has written on its standard
// error, and an error in place of the answer to a call, for which no limit is
// waited out. testdata/messages.txt has them.
func TestGolden_Messages(t *testing.T) {
	goPort := porttest.GoPort(t)
	// answers is the go port with other answers, requests one that does not get
	// some requests.
	answers := func(cases string) string {
		return goPort + ` | while read -r line; do case $line in ` + cases + ` *) echo "$line";; esac; done`
	}
	requests := func(cases string) string {
		return `exec 3>&1; n=0; while read -r line; do case $line in ` + cases + ` *) echo "$line";; esac; done | ` + goPort
	}
	var all strings.Builder
	for _, c := range []struct{ what, check, port string }{
		{"another step is announced, with a trace on standard error", "tour n=2",
			answers(`"at TestFirst") echo "enter is 0" >&2; echo at UnlockFirst;;`)},
		{"the port dies in the tour", "tour n=2", answers(`"at CountEnter") echo "no memory" >&2; kill -9 $$;;`)},
		{"an error in place of the last answer", "withdrawal",
			requests(`"call 2") n=$((n+1)); if [ $n = 3 ]; then echo "error the disk is full" >&3; else echo "$line"; fi;;`)},
		{"escape sequences in an error", "alone", answers(`returned) printf 'error \033[2J\302\2332J\n';;`)},
		{"no error where one is due, with a trace on standard error", "conversation",
			answers(`error*) echo "a warning" >&2; echo opened;;`)},
	} {
		s := newSubject(t.Context(), "exec:"+c.port)
		s.can.White, s.can.Withdraw = true, true
		i := slices.IndexFunc(Checks, func(known Check) bool { return known.Name == c.check })
		got := Checks[i].make(s)
		if !accuses(got.err) {
			t.Errorf("%s: got %q, %v, want a mistake", c.what, got.found, got.err)
			continue
		}
		text := strings.ReplaceAll(strings.ReplaceAll(got.err.Error(), cli.Quoted("exec:"+c.port), "PORT"), "exec:"+c.port, "PORT")
		fmt.Fprintf(&all, "%s, %s:\n%s\n\n", c.check, c.what, text)
	}
	golden.File(t, "testdata/messages.txt", regexp.MustCompile(`pid \d+`).ReplaceAllString(all.String(), "pid PID"))
}
