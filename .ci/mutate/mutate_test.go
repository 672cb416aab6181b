package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec/golden"
)

// counter is a package with one mistake of each kind that tests can notice, and
// some that its test does not.
const counter = `package counter

import "errors"

func Count(list []int, most int) (n int, err error) {
	for _, v := range list {
		if v > 0 && v <= most {
			n++
		}
	}
	if n == 0 {
		return 0, errors.New("none")
	}
	return n, nil
}

func Unused() bool { return false }
`

const counterTest = `package counter

import "testing"

func TestUnit_Count(t *testing.T) {
	for most, want := range map[int]int{3: 3, 2: 2, 1: 1} {
		if n, err := Count([]int{-1, 1, 2, 3}, most); n != want || err != nil {
			t.Errorf("Count: got %d, %v, want %d", n, err, want)
		}
	}
}
`

// inModule runs the test in a module of its own with the package counter.
func inModule(t *testing.T) *trial {
	t.Helper()
	t.Chdir(t.TempDir())
	for path, text := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "counter/counter.go": counter, "counter/counter_test.go": counterTest} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// No mutant of it runs for ever.
	return &trial{pkg: "counter", dir: t.TempDir(), least: 10 * time.Minute, say: func(string, ...any) {}}
}

// TestHazard_Generated: a mutant that no test notices lives, and one that no
// test reaches is not reached. All others are killed, by name of the test.
func TestHazard_Generated(t *testing.T) {
	m := inModule(t)
	r := &result{pkg: "counter"}
	if err := m.generated(context.Background(), "", r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range r.outcomes {
		if o.verdict == killed && o.by != "TestUnit_Count" {
			t.Errorf("%s: killed by %q, want TestUnit_Count", o.name, o.by)
		}
		got = append(got, strings.TrimPrefix(o.name, "counter/counter.go ")+": "+o.verdict)
	}
	want := []string{
		"Count: `v > 0 && v <= most` is true: killed",
		"Count: `v > 0 && v <= most` is false: killed",
		"Count: without `n++`: killed",
		"Count: `v > 0` is true: killed",
		"Count: `v <= most` is true: killed",
		"Count: `v > 0` becomes >=: lived",
		"Count: `v <= most` becomes <: killed",
		"Count: `n == 0` is true: killed",
		"Count: `n == 0` is false: not reached",
		"Count: returns no error in place of `errors.New(\"none\")`: not reached",
		"Unused: returns not `false`: not reached",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	reasons := []reason{}
	r.explain(reasons, true)
	if len(r.unexplained) != 4 {
		t.Errorf("survivors without a reason: got %q, want 4", r.unexplained)
	}
}

// TestHazard_ByHand: a mistake is killed by the test that it names, lives, or
// does not compile. One that the code has no place for is an error, and so is a
// test that does not exist.
func TestHazard_ByHand(t *testing.T) {
	m := inModule(t)
	for _, c := range []struct{ text, want string }{
		{"one too many\nkilled by TestUnit_Count\nin counter/counter.go\n- n++\n+ n += 2\n", killed},
		{"another text\nin counter/counter.go\n- return 0, errors.New(\"none\")\n+ return 0, errors.New(\"nothing\")\n", lived},
		{"no variable\nin counter/counter.go\n- n++\n+ m++\n", notViable},
		{"without end\nin counter/counter.go\n- n++\n+ n++ +\n", notViable},
		{"no place\nin counter/counter.go\n- m++\n+ n++\n", "does not have"},
		{"two places\nin counter/counter.go\n- }\n+ n++\n", "twice"},
		{"no test\nkilled by TestUnit_Missing\nin counter/counter.go\n- n++\n+ n += 2\n", "no test is named"},
	} {
		h, err := parseHand(c.text)
		if err != nil {
			t.Fatal(err)
		}
		r := &result{pkg: "counter"}
		err = m.byHand(context.Background(), []handMade{h}, r)
		if got := len(r.outcomes) == 1 && r.outcomes[0].verdict == c.want || err != nil && strings.Contains(err.Error(), c.want); !got {
			t.Errorf("%s: got %+v, %v, want %q", h.name, r.outcomes, err, c.want)
		}
	}
	if text, err := os.ReadFile("counter/counter.go"); err != nil || string(text) != counter {
		t.Errorf("the tree was changed: %s, %v", text, err)
	}
}

// TestUnit_Reasons: a star stands for any text, and a reason for a mutant that
// does not exist is said.
func TestUnit_Reasons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reasons.txt")
	text := "p/a.go f: without `x`\np/a.go g: **\n\tThey do\n\tnothing.\n\np/a.go gone: without `y`\n\tIt was there.\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	reasons, err := readReasons(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &result{pkg: "p"}
	for _, name := range []string{"f: without `x`", "f: without `x` (2)", "g: `a < b` is true"} {
		r.outcomes = append(r.outcomes, outcome{kind: generated, name: "p/a.go " + name, verdict: lived})
	}
	r.explain(reasons, true)
	if len(r.survivors) != 3 || r.survivors[2].reason != "They do nothing." {
		t.Errorf("survivors: got %q", r.survivors)
	}
	if want := []string{"p/a.go f: without `x` (2)"}; !slices.Equal(r.unexplained, want) {
		t.Errorf("without a reason: got %q, want %q", r.unexplained, want)
	}
	if want := []string{"p/a.go gone: without `y`"}; !slices.Equal(r.stale, want) {
		t.Errorf("reasons without a mutant: got %q, want %q", r.stale, want)
	}
	for _, text := range []string{"p/a.go f\n", "\tA reason.\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if list, err := readReasons(path); err == nil {
			t.Errorf("readReasons(%q): got %v, want an error", text, list)
		}
	}
}

// TestGolden_Page: each survivor on the page has the reason that reasons.txt has
// for it. A run writes the rest of the page (--write).
func TestGolden_Page(t *testing.T) {
	reasons, err := readReasons("reasons.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../" + pagePath)
	if err != nil {
		t.Fatal(err)
	}
	want, err := replacePart(string(page), "survivors", func(old string) string {
		all := survivorsOf(old)
		for _, list := range all {
			for i := range list {
				if list[i].reason = reasonOf(reasons, list[i].name, map[string]bool{}); list[i].reason == "" {
					t.Errorf("%s has no reason", list[i].name)
				}
			}
		}
		return list(all)
	})
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, "../../"+pagePath, want)
}

// TestUnit_Page: a result takes the place of the older one of its package and
// kind, and of nothing else.
func TestUnit_Page(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	page := "# Page\n<!-- mutants:table -->\n<!-- /mutants -->\n<!-- mutants:survivors -->\n<!-- /mutants -->\nend\n"
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(pkg, kind, verdict string, names ...string) {
		t.Helper()
		r := result{pkg: pkg}
		for _, name := range names {
			r.outcomes = append(r.outcomes, outcome{kind: kind, name: name, verdict: verdict})
		}
		r.explain(nil, false)
		if err := r.writeTo(path); err != nil {
			t.Fatal(err)
		}
	}
	write("model", generated, lived, "model/a.go f: old")
	write("impl", byHand, lived, "a mistake")
	write("impl", generated, lived, "impl/a.go f: old", "impl/a.go f: older")
	write("model", generated, lived, "model/a.go f: new")
	write("impl", generated, unreached, "impl/a.go f: new")
	want := "# Page\n<!-- mutants:table -->\n" + head +
		"| `impl` | generated | 1 | 0 | 0 | 0 | 1 | 0 |\n| `impl` | by hand | 1 | 0 | 0 | 1 | 0 | 0 |\n| `model` | generated | 1 | 0 | 0 | 1 | 0 | 0 |\n" +
		"<!-- /mutants -->\n<!-- mutants:survivors -->\n" +
		"### impl\n\n- " + unknown + "\n  - a mistake (by hand)\n  - a.go f: new\n\n### model\n\n- " + unknown + "\n  - a.go f: new\n\n<!-- /mutants -->\nend\n"
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestUnit_Gremlins reads a report of gremlins.
func TestUnit_Gremlins(t *testing.T) {
	m := trial{pkg: "stress/oracle", say: func(string, ...any) {}}
	r := &result{pkg: m.pkg}
	const report = `{"files": [{"file_name": "oracle.go", "mutations": [
		{"type": "ARITHMETIC_BASE", "status": "KILLED", "line": 45, "column": 40}, {"type": "INVERT_LOOPCTRL", "status": "TIMED OUT", "line": 7, "column": 1},
		{"type": "CONDITIONALS_BOUNDARY", "status": "LIVED", "line": 9, "column": 2}, {"type": "CONDITIONALS_NEGATION", "status": "NOT COVERED", "line": 10, "column": 3},
		{"type": "INVERT_NEGATIVES", "status": "NOT VIABLE", "line": 11, "column": 4}]},
		{"file_name": "deeper/other.go", "mutations": [{"type": "ARITHMETIC_BASE", "status": "LIVED", "line": 1, "column": 1}]}]}`
	if err := m.readGremlins([]byte(report), r); err != nil {
		t.Fatal(err)
	}
	if got, want := r.rows(), []string{"| `stress/oracle` | gremlins | 5 | 1 | 1 | 1 | 1 | 1 |"}; !slices.Equal(got, want) {
		t.Errorf("rows: got %q, want %q", got, want)
	}
	if got, want := r.outcomes[2].name, "stress/oracle/oracle.go: conditionals_boundary, line 9"; got != want {
		t.Errorf("name: got %q, want %q", got, want)
	}
	for _, bad := range []string{`{`, `{"files": [{"file_name": "oracle.go", "mutations": [{"status": "LOST"}]}]}`} {
		if m.readGremlins([]byte(bad), r) == nil {
			t.Errorf("readGremlins(%s): got nil, want an error", bad)
		}
	}
}

// TestUnit_HandIsUpToDate: the code has the place of each mistake, and most go
// into one program.
func TestUnit_HandIsUpToDate(t *testing.T) {
	t.Chdir("../..")
	all, err := readHand(handPath)
	if err != nil {
		t.Fatal(err)
	}
	for pkg, list := range all {
		if !slices.Contains(packages, pkg) {
			t.Errorf("%s is none of %v", pkg, packages)
		}
		_, together, apart, err := combine(list)
		if err != nil {
			t.Errorf("%s: %v", pkg, err)
		} else if len(together)+len(apart) != len(list) || len(together) < len(apart) {
			t.Errorf("%s: %d mistakes in one program and %d alone, of %d", pkg, len(together), len(apart), len(list))
		}
		for _, h := range list {
			if len(h.tests) == 0 {
				t.Errorf("%s: %q names no test", pkg, h.name)
			}
		}
	}
}

// TestProc_Apart: where the system lets a program have a /dev/shm of its own, a
// mutant has one, with process numbers of its own and limits.
func TestProc_Apart(t *testing.T) {
	own := exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm")
	if out, err := own.CombinedOutput(); err != nil {
		t.Skipf("%v: %v: %s", own, err, out)
	}
	command := slices.Concat(apart(), []string{"sh", "-c", "echo $$ $(ls -A /dev/shm) $(ulimit -v) $(ulimit -t)"})
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "MUTANT_SECONDS=7")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "1 8000000 7\n" {
		t.Errorf("%v: process number, files in /dev/shm, limits: got %q, error %v; want 1, none, 8000000 and 7", command, out, err)
	}
}
