package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A handMade mutant is a mistake that a person has thought of.
type handMade struct {
	name  string
	pkg   string   // whose tests are run
	tests []string // of which one must fail; none: any test of the package
	edits []change
}

// A change replaces text that occurs once in a file.
type change struct{ path, from, to string }

// readHand reads the mistakes, by package. The format, with one or more changes
// for each mistake:
//
//	# The name of the mistake
//	killed by TestOne TestTwo
//	in impl/call_linux.go
//	- the line that is there
//	+ the line in its place
//
// The tests are those of the package that is changed, or those that a line
// "tests of impl" names, for an internal package that another one tests.
// A change may have several lines of each kind, and none with +.
func readHand(file string) (map[string][]handMade, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := map[string][]handMade{}
	for _, part := range strings.Split("\n"+string(text), "\n# ")[1:] {
		h, err := parseHand(part)
		if err != nil {
			return nil, fmt.Errorf("%s: mistake %q: %w", file, h.name, err)
		}
		all[h.pkg] = append(all[h.pkg], h)
	}
	return all, nil
}

func parseHand(part string) (h handMade, err error) {
	sign := ""
	for i, line := range strings.Split(strings.TrimSpace(part), "\n") {
		last := len(h.edits) - 1
		key, rest, _ := strings.Cut(line, " ")
		switch {
		case i == 0:
			h.name = line
		case strings.HasPrefix(line, "killed by "):
			h.tests = strings.Fields(line)[2:]
		case strings.HasPrefix(line, "tests of "):
			h.pkg = strings.TrimPrefix(line, "tests of ")
		case key == "in":
			h.edits = append(h.edits, change{path: rest})
		case last < 0:
			return h, fmt.Errorf("line %q comes before any with \"in FILE\"", line)
		case key == "-" && sign == "+": // another change of the same file
			h.edits = append(h.edits, change{path: h.edits[last].path, from: rest + "\n"})
		case key == "-":
			h.edits[last].from += rest + "\n"
		case key == "+":
			h.edits[last].to += rest + "\n"
		case line != "":
			return h, fmt.Errorf("line %q does not begin with in, - or +", line)
		}
		sign = key
	}
	if len(h.edits) == 0 {
		return h, fmt.Errorf("it changes nothing")
	}
	h.pkg = cmp.Or(h.pkg, path.Dir(h.edits[0].path))
	return h, nil
}

// byHand tries the mistakes: first those that go into one program, and then the
// others one by one.
func (t *trial) byHand(ctx context.Context, list []handMade, r *result) error {
	sources, together, apart, err := combine(list)
	if err != nil {
		return err
	}
	for len(together) > 0 {
		failure, err := t.compile(ctx, sources)
		if err != nil {
			return err
		}
		if failure == "" {
			break
		}
		alone := refused(together, failure)
		if len(alone) == 0 {
			return fmt.Errorf("the mistakes do not compile together: %s", failure)
		}
		list = slices.DeleteFunc(slices.Clone(list), func(h handMade) bool { return alone[h.name] })
		r.outcomes = append(r.outcomes, notViables(alone)...)
		if sources, together, apart, err = combine(list); err != nil {
			return err
		}
	}
	if err := t.known(ctx, list); err != nil {
		return err
	}
	for id, c := range together {
		if err := t.judge(ctx, c.handMade, []string{fmt.Sprintf("MUTANT=%d", id)}, r); err != nil {
			return err
		}
	}
	for _, h := range apart {
		changed, err := h.apply()
		if err != nil {
			return err
		}
		switch failure, err := t.compile(ctx, changed); {
		case err != nil:
			return err
		case failure != "":
			t.report(outcome{kind: byHand, name: h.name, verdict: notViable, by: failure}, r)
		default:
			if err := t.judge(ctx, h, nil, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// known returns an error if a mistake names a test that does not exist.
func (t *trial) known(ctx context.Context, list []handMade) error {
	if _, err := os.Stat(t.program()); err != nil {
		if failure, err := t.compile(ctx, nil); err != nil || failure != "" {
			return fmt.Errorf("the package does not compile: %w%s", err, failure)
		}
	}
	names, err := t.tests(ctx)
	if err != nil {
		return err
	}
	for _, h := range list {
		for _, test := range h.tests {
			if !slices.Contains(names, test) {
				return fmt.Errorf("%q: no test is named %s", h.name, test)
			}
		}
	}
	return nil
}

// refused returns the names of the mistakes in whose lines the compiler finds
// an error.
func refused(list []combined, failure string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(failure) {
		for _, c := range list {
			parts := strings.SplitN(strings.TrimPrefix(line, "./"), ":", 3)
			if n, err := strconv.Atoi(parts[min(1, len(parts)-1)]); err == nil && parts[0] == c.path && c.first <= n && n <= c.last {
				names[c.name] = true
			}
		}
	}
	return names
}

func notViables(names map[string]bool) (list []outcome) {
	for name := range names {
		list = append(list, outcome{kind: byHand, name: name, verdict: notViable})
	}
	return list
}

// judge runs the tests that must notice a mistake against the program at hand.
func (t *trial) judge(ctx context.Context, h handMade, env []string, r *result) (err error) {
	o := outcome{kind: byHand, name: h.name}
	tests := h.tests
	if len(tests) == 0 {
		tests = []string{".*"}
	}
	if o.verdict, o.by, err = t.try(ctx, t.limit(time.Second), env, tests...); err != nil {
		return fmt.Errorf("%q: %w", h.name, err)
	}
	t.report(o, r)
	return nil
}

// apply returns the files with the changes.
func (h handMade) apply() (sources []source, err error) {
	texts := map[string]string{}
	for _, e := range h.edits {
		text, known := texts[e.path]
		if !known {
			file, err := os.ReadFile(e.path)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", h.name, err)
			}
			text = string(file)
		}
		changed, err := e.apply(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %s: %w; write the mistake for the code as it is now", h.name, e.path, err)
		}
		texts[e.path] = changed
	}
	for path, text := range texts {
		sources = append(sources, source{path, text})
	}
	return sources, nil
}

// apply changes the text. Lines are compared without the space around them.
func (e change) apply(text string) (string, error) {
	want := strings.Split(strings.TrimSuffix(e.from, "\n"), "\n")
	lines := strings.Split(text, "\n")
	at := -1
	for i := 0; i+len(want) <= len(lines); i++ {
		same := true
		for k := range want {
			same = same && strings.TrimSpace(lines[i+k]) == strings.TrimSpace(want[k])
		}
		switch {
		case same && at >= 0:
			return "", fmt.Errorf("it has %q twice", want[0])
		case same:
			at = i
		}
	}
	if at < 0 {
		return "", fmt.Errorf("it does not have %q", e.from)
	}
	to := strings.Split(strings.TrimSuffix(e.to, "\n"), "\n")
	return strings.Join(append(append(lines[:at:at], to...), lines[at+len(want):]...), "\n"), nil
}
