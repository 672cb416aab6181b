package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
)

// A trial runs the tests of one package against its mutants.
type trial struct {
	pkg   string
	dir   string        // for the programs and what the tests write
	least time.Duration // the shortest time limit
	say   func(format string, args ...any)
}

// program is the path of the test program.
func (t *trial) program() string { return filepath.Join(t.dir, "test") }

// generated tries the generated mutants with the text in their name.
func (t *trial) generated(ctx context.Context, only string, r *result) error {
	list, err := t.compileAll(ctx, r)
	if err != nil {
		return err
	}
	tests, err := t.reach(ctx, len(list), r)
	if err != nil {
		return err
	}
	for id, m := range list {
		if !strings.Contains(m.name, only) {
			continue
		}
		o := outcome{kind: generated, name: m.name, line: m.line}
		if o.verdict, o.by, err = t.kill(ctx, id, tests); err != nil {
			return err
		}
		t.report(o, r)
	}
	return nil
}

// report keeps an outcome, and says those that are not as they should be.
func (t *trial) report(o outcome, r *result) {
	r.outcomes = append(r.outcomes, o)
	if o.verdict != killed {
		t.say("%s: %s (%s)", o.verdict, o.name, cmp.Or(o.line, o.by))
	}
}

// compileAll compiles the test program with all generated mutants in it. It
// leaves those out that do not compile.
func (t *trial) compileAll(ctx context.Context, r *result) ([]mutant, error) {
	out, err := procgroup.Output(ctx, exec.Command("go", "list", "-f", `{{join .GoFiles " "}}`, "./"+t.pkg))
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	skip := map[string]bool{}
	for {
		list, sources, err := switched(t.pkg, strings.Fields(string(out)), skip)
		if err != nil {
			return nil, err
		}
		failure, err := t.compile(ctx, sources)
		if err != nil || failure == "" {
			return list, err
		}
		before := len(skip)
		for _, m := range list {
			if strings.Contains("\n"+failure, "\n"+m.line+":") {
				skip[m.name] = true
				t.report(outcome{kind: generated, name: m.name, line: m.line, verdict: notViable}, r)
			}
		}
		if len(skip) == before {
			return nil, fmt.Errorf("the package does not compile: %s", failure)
		}
	}
}

// compile compiles the test program from changed files. If the compiler refuses
// them, failure is what it says.
func (t *trial) compile(ctx context.Context, sources []source) (failure string, err error) {
	replace := map[string]string{}
	for i, s := range sources {
		path, err := filepath.Abs(s.path)
		if err != nil {
			return "", err
		}
		replace[path] = filepath.Join(t.dir, fmt.Sprintf("overlay-%d.go", i))
		if err := os.WriteFile(replace[path], []byte(s.text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(t.dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", t.program(), "-gcflags=-e", "./"+t.pkg)
	out, err := procgroup.CombinedOutput(ctx, cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return overlaid.ReplaceAllStringFunc(string(out), func(name string) string {
			i, _ := strconv.Atoi(overlaid.FindStringSubmatch(name)[1])
			return sources[i].path
		}), nil
	}
	return "", err
}

// overlaid is how the compiler names a file of the overlay.
var overlaid = regexp.MustCompile(`(?m)^\S*/overlay-(\d+)\.go`)

// A test is one test of the package.
type test struct {
	name    string
	took    time.Duration
	reaches []byte // by mutant
}

// reach runs each test alone with all mutants off, and returns those that pass,
// the quickest first. The result has those that fail.
func (t *trial) reach(ctx context.Context, mutants int, r *result) (list []test, err error) {
	names, err := t.tests(ctx)
	if err != nil {
		return nil, err
	}
	reached := filepath.Join(t.dir, "reached")
	for _, name := range names {
		if err := os.WriteFile(reached, make([]byte, max(mutants, 1)), 0o600); err != nil {
			return nil, err
		}
		start := time.Now()
		out, err := t.run(ctx, 10*time.Minute, []string{"MUTANT_REACHED=" + reached}, "-test.short", "-test.run", "^"+name+"$")
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			r.broken = append(r.broken, fmt.Sprintf("%s: %v: %s", name, err, toolcache.LastLine(out)))
			continue
		}
		marks, err := os.ReadFile(reached)
		if err != nil {
			return nil, err
		}
		list = append(list, test{name, time.Since(start), marks})
	}
	slices.SortFunc(list, func(a, b test) int { return cmp.Compare(a.took, b.took) })
	return list, nil
}

// limit is the time after which tests are ended that take so long without a
// mutant. A machine that others use too has more.
func (t *trial) limit(took time.Duration) time.Duration {
	load := 0.0
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(text), &load)
	}
	return time.Duration(min(max(1, load/float64(2*runtime.NumCPU())), 4) * float64(t.least+30*took))
}

// tests lists the tests, examples and fuzz targets of the program.
func (t *trial) tests(ctx context.Context) (names []string, err error) {
	out, err := t.run(ctx, 10*time.Minute, nil, "-test.list", "^(Test|Example|Fuzz)")
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w: %s", err, out)
	}
	return strings.Fields(string(out)), nil
}

// batch is how long the tests that run in one program may take without a
// mutant.
const batch = 500 * time.Millisecond

// kill runs the tests that reach the mutant until one fails.
func (t *trial) kill(ctx context.Context, id int, tests []test) (verdict, by string, err error) {
	tests = slices.DeleteFunc(slices.Clone(tests), func(t test) bool { return t.reaches[id] == 0 })
	if len(tests) == 0 {
		return unreached, "", nil
	}
	for len(tests) > 0 {
		var names []string
		var took time.Duration
		for len(tests) > 0 && (len(names) == 0 || took+tests[0].took < batch) {
			names = append(names, tests[0].name)
			took += tests[0].took
			tests = tests[1:]
		}
		verdict, by, err = t.try(ctx, t.limit(took), []string{fmt.Sprintf("MUTANT=%d", id)}, names...)
		if err != nil || verdict != lived {
			return verdict, by, err
		}
	}
	return lived, "", nil
}

var failed = regexp.MustCompile(`--- FAIL: (\w+)`)

// try runs tests against a mutant.
func (t *trial) try(ctx context.Context, limit time.Duration, env []string, tests ...string) (verdict, by string, err error) {
	out, err := t.run(ctx, limit, env, "-test.short", "-test.failfast", "-test.run", "^("+strings.Join(tests, "|")+")$")
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), tooMuchCPU(err):
		return timedOut, strings.Join(tests, ", "), nil
	case err == nil:
		return lived, "", nil
	}
	if match := failed.FindSubmatch(out); match != nil {
		return killed, string(match[1]), nil
	}
	return killed, "the end of the program: " + toolcache.LastLine(out), nil
}

// tooMuchCPU reports whether the kernel has killed the program since it has used
// its time (SIGKILL, or SIGXCPU, as a shell says it).
func tooMuchCPU(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && (exit.ExitCode() == 128+9 || exit.ExitCode() == 128+24)
}

// run runs the test program in the folder of the package, with a folder for its
// files and, where that is possible, a /dev/shm and process numbers of its own:
// a mutant leaves files and can signal the wrong process.
func (t *trial) run(ctx context.Context, limit time.Duration, env []string, args ...string) ([]byte, error) {
	temp := filepath.Join(t.dir, "tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	command := slices.Concat(apart(), []string{t.program()}, args)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = t.pkg
	seconds := fmt.Sprintf("MUTANT_SECONDS=%.0f", limit.Seconds()/4+1)
	cmd.Env = append(append(os.Environ(), "TMPDIR="+temp, seconds), env...)
	out, err := procgroup.CombinedOutput(ctx, cmd)
	return out, err
}

// apart is the command that runs another apart, or nothing. No mutant may take
// all memory, or a processor for longer than $MUTANT_SECONDS: a loop without end
// ends sooner so on a loaded machine.
var apart = sync.OnceValue(func() []string {
	const script = `mount -t tmpfs tmpfs /dev/shm && ulimit -v 8000000 && ulimit -t "${MUTANT_SECONDS:-60}" && exec "$0" "$@"`
	command := []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script}
	if exec.Command(command[0], append(command[1:], "true")...).Run() != nil {
		return nil
	}
	return command
})
