//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/scratch"
)

// missing skips the test, or fails it where all tools must be there.
func missing(t *testing.T, absent string) {
	t.Helper()
	if strings.Contains(absent, string(errNoMPI)) { // optional on every machine
		t.Skip(absent)
	}
	toolcache.Require(t, toolcache.Missing(absent))
}

// childrenOf lists the children of the process whose command lines have the
// text.
func childrenOf(parent int, text string) (list []int) {
	for _, pid := range procgroup.Children(parent) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // nothing: it has ended
		if strings.Contains(string(line), text) {
			list = append(list, pid)
		}
	}
	return list
}

// TestProc_Where: the parties run on as many processors as the setting says,
// beside one busy process or none.
func TestProc_Where(t *testing.T) {
	all, err := processors(1)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := processors(2); err == nil {
		all = two
	}
	for n := range len(all) {
		for _, busy := range []bool{false, true} {
			want := fmt.Sprintf("%d processors, %d busy", n+1, map[bool]int{true: 1}[busy])
			_, err := once(t, short(), ready(t, "says-where"), Setting{Parties: 2, Processors: n + 1, Busy: busy})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d processors, busy %v: the parties say %v, want %q", n+1, busy, err, want)
			}
		}
	}
	if left := childrenOf(os.Getpid(), "stress-b"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := processors(1 << 20); !errors.Is(err, ErrProcessors) {
		t.Errorf("a million processors: %v, want %v", err, ErrProcessors)
	}
}

// fakeContenders has the test measure fakes under other names, which note when
// they are launched.
func fakeContenders(t *testing.T, names ...string) (launched *[]string) {
	t.Helper()
	launched = new([]string)
	all := contenders
	t.Cleanup(func() { contenders = all })
	contenders = nil
	for _, name := range names {
		contenders = append(contenders, contender{name, "a fake", func(ctx context.Context) (prepared, error) {
			if strings.HasPrefix(name, "absent") {
				return prepared{}, fmt.Errorf("%w (not here)", toolcache.Missing("no "+name))
			}
			p, err := goContender("early-by-none")(ctx)
			launch := p.launch
			p.launch = func(m match) []*exec.Cmd {
				*launched = append(*launched, fmt.Sprint(name, m.parties))
				return launch(m)
			}
			return p, err
		}})
	}
	return launched
}

// TestProc_InTurn: contenders take turns in each setting, in another order each
// time. One whose tool is missing is in the document, and is not measured.
func TestProc_InTurn(t *testing.T) {
	launched := fakeContenders(t, "a", "absent", "glibc")
	c := Config{Contenders: Names(), Parties: []int{2, 3}, Processors: []int{1}, For: time.Nanosecond, Repeat: 3, Stall: 10 * time.Minute}
	var progress []string
	c.Progress = func(done, all int, next string) {
		progress = append(progress, fmt.Sprintf("%d/%d %s", done, all, next))
	}
	doc, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a2", "glibc2", "glibc2", "a2", "a2", "glibc2", "a3", "glibc3", "glibc3", "a3", "a3", "glibc3"}
	if !slices.Equal(*launched, want) {
		t.Errorf("measured in the order %v, want %v", *launched, want)
	}
	if len(progress) != 12 || progress[7] != "7/12 glibc, 3 parties, 1 processor" {
		t.Errorf("progress: %q", progress)
	}
	if len(doc.Points) != 4 || len(doc.Points[3].Samples) != 3 || doc.Points[3].Contender != "glibc" || doc.Points[3].Parties != 3 {
		t.Errorf("points: %+v, want those of a and glibc, with three samples each", doc.Points)
	}
	if got := doc.Contenders[1].Absent; got != "no absent" {
		t.Errorf("the absent one: %q", got)
	}
	var text strings.Builder
	if err := doc.Text(&text); err != nil || !strings.Contains(text.String(), "absent: no absent") {
		t.Errorf("the text does not say what is missing (%v):\n%s", err, text.String())
	}
	fakeContenders(t, "absent")
	c.Contenders = Names()
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "no absent") {
		t.Errorf("only absent ones: %v, want %v", err, ErrNone)
	}
}

// TestProc_Interrupted ends a run of each contender while its parties call. No
// process and no file is left.
func TestProc_Interrupted(t *testing.T) {
	for _, name := range real(t) {
		t.Run(name, func(t *testing.T) {
			p := ready(t, name)
			ctx, cancel := context.WithCancel(t.Context())
			var m match
			var watcher sync.WaitGroup
			defer watcher.Wait()
			defer cancel()
			launch := p.launch
			p.launch = func(of match) []*exec.Cmd {
				m = of
				watcher.Go(func() {
					b, err := openBoard(of.board)
					if err != nil {
						t.Error(err)
						cancel()
						return
					}
					defer b.close()
					for ctx.Err() == nil && b.of(1, wordBegun).Load() < 3 {
						time.Sleep(time.Millisecond)
					}
					cancel()
				})
				return launch(of)
			}
			c := Config{For: time.Hour, Stall: 10 * time.Minute}
			cpus, err := processors(1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.measure(ctx, p, Setting{Parties: 2, Processors: 1, Busy: true}, cpus); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: %v, want %v", err, context.Canceled)
			}
			if left := childrenOf(os.Getpid(), ""); slices.ContainsFunc(left, isWorker(m)) {
				t.Errorf("processes are left: %v", left)
			}
			for _, path := range []string{m.dir, memory + "/" + m.segment} {
				if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is left", path)
				}
			}
			if runs := scratch.Runs(); slices.ContainsFunc(runs, func(run string) bool { return strings.HasPrefix(m.segment, run) }) {
				t.Errorf("the mark is left: %v", runs)
			}
		})
	}
}

// isWorker reports whether a process is one of the match, or a busy one.
func isWorker(m match) func(pid int) bool {
	return func(pid int) bool {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.Contains(string(line), m.board) || strings.Contains(string(line), "stress-busy")
	}
}
