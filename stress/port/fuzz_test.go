//go:build linux

package port

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sharedbarrier/spec"
)

// FuzzLines: whatever a port writes, each line that is read is one that it has
// written, whole and as text, and the reading ends. A line is taken for an
// answer, and for a first line, only if it is one.
func FuzzLines(f *testing.F) {
	for _, text := range []string{
		"", "\n", "port 1\n", "port 1 white withdraw abandon splitRMW\n", "port 1 white white\n", "port 2\n", "port 1 \n", "port  1\n", "port\n", " port 1\n",
		"returned", "returned\nreturned\n", "returned\r\n", "returned \n", "at AwaitFlag\n", "at awaitflag\n", "at \n", "at at Call\n", "error\n", "error \n", "error \x1b[2J\u009b\n",
		"ret\xffurned\n", "\x00\n", "ok\u202e\n", strings.Repeat("x", maxLine) + "\n", strings.Repeat("x", maxLine+1) + "\n", strings.Repeat("ü", 2*maxLine),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 32<<10 { // what fits in a pipe
			return
		}
		from, to, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		if _, err := to.WriteString(text); err != nil {
			t.Fatal(err)
		}
		to.Close()
		l := lines{pipe: from, gone: make(chan struct{})}
		for rest := text; ; {
			line, err := l.next(nil)
			if err != nil {
				if line != nil && !strings.Contains(text, string(line)) {
					t.Errorf("%q: read %q, %v, which is not there", text, line, err)
				}
				return
			}
			next, found := strings.CutPrefix(rest, string(line)+"\n")
			if rest = next; !found || len(line) > maxLine || !utf8.Valid(line) {
				t.Fatalf("%q: read the line %q", text, line)
			}
			judge(t, string(line))
		}
	})
}

// judge compares what is made of a line with all that a port may say.
func judge(t *testing.T, line string) {
	t.Helper()
	answers := []string{OK, Opened, Returned, Withdrawn, Abandoned, Closed}
	for _, s := range spec.AllSteps {
		answers = append(answers, At(s))
	}
	if is := slices.Contains(answers, line) || strings.HasPrefix(line, "error "); is != (checkAnswer(line) == nil) {
		t.Errorf("%q is taken for an answer: %v", line, !is)
	}
	can, err := parseHello(line)
	if err != nil {
		if can != (Capabilities{}) && !strings.Contains(line, " ") {
			t.Errorf("%q: %v, and capabilities %v", line, err, can)
		}
		return
	}
	words := []string{"port", "1"}
	for _, c := range []struct {
		has  bool
		name string
	}{{can.White, "white"}, {can.Withdraw, "withdraw"}, {can.Abandon, "abandon"}, {can.SplitRMW, "splitRMW"}} {
		if c.has {
			words = append(words, c.name)
		}
	}
	got := strings.Split(line, " ")
	slices.Sort(got[2:])
	slices.Sort(words[2:])
	if !slices.Equal(got, words) {
		t.Errorf("%q is read as %q", line, words)
	}
}
