package tlc

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/spec"
)

// asTLC is a run whose Java is a shell script, and whose jar is one that this
// package takes for a release. Its folder has what the script leaves there.
func asTLC(t *testing.T, text string) (r Run, dir string) {
	t.Helper()
	dir = t.TempDir()
	java, jar := clitest.Script(t, filepath.Join(dir, "java"), text), filepath.Join(dir, "jar")
	t.Setenv("LEFT", dir)
	if err := os.WriteFile(jar, []byte(jarText), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(jarText))
	real := releases
	releases = []release{{file: "jar", sha256: hex.EncodeToString(sum[:])}}
	t.Cleanup(func() { releases = real })
	t.Setenv("TMPDIR", t.TempDir())
	return Run{Tools: Tools{Java: java, Jar: jar}, Files: fstest.MapFS{"A.tla": {Data: []byte("a module")}},
		Question: Question{Scenario: "reuse", Procs: 1, Kind: "test", Invariants: []string{"Quiescent"}}}, dir
}

func saying(log string) string { return "cat << 'end'\n" + log + "end\n" }

// TestUnit_Check: the verdict, the figures, and what TLC was given. Nothing is
// left in TMPDIR.
func TestUnit_Check(t *testing.T) {
	success := message(msgSuccess, 0, "Model checking completed.")
	figures := message(msgStats, 0, "12 states generated, 7 distinct states found, 0 states left on queue.") + message(msgDepth, 0, "search is 4.")
	keep := "for a; do echo \"$a\" >>$LEFT/arguments; done; cp A.tla *.cfg \"$LEFT\"; cat Schedule.tla >>$LEFT/arguments 2>$LEFT/none\n"
	for _, c := range []struct {
		name, script string
		change       func(*Run)
		verdict      spec.Verdict
		want         error
		note         string
		has, lacks   []string // arguments
	}{
		{"success", saying(success + figures), func(r *Run) {}, spec.Verified, nil, "", []string{"-workers\n1\n", "MCSharedBarrier\n", "-XX:+UseParallelGC\n"},
			[]string{"-lncheck", "-dump", "-simulate", "-Xmx", "-XX:+UseSerialGC"}},
		{"options", saying(success + figures), func(r *Run) {
			r.Workers, r.Memory, r.Small, r.Dump, r.Question.Properties = 3, "2g", true, "graph.dot", []string{"NoHang"}
		}, spec.Verified, nil, "", []string{"-workers\n3\n", "-Xmx2g\n", "-XX:+UseSerialGC\n", "-dump\ndot,actionlabels\ngraph.dot\n", "-lncheck\nfinal\n"}, []string{"-XX:+UseParallelGC"}},
		{"simulation", saying(figures), func(r *Run) { r.Simulate, r.Seed = 8, 5 }, spec.Unfinished, nil, "all 8 random behaviours tried, 12 states", []string{"-simulate\nnum=8\n", "-seed\n5\n"}, nil},
		{"violation", saying(message(msgInvariant, 1, "Invariant Quiescent is violated.")+figures) + "exit 12\n", func(r *Run) {}, spec.Violated, nil, "", nil, nil},
		{"no answer", saying(figures), func(r *Run) {}, spec.Unfinished, ErrTLC, "", nil, nil},
		{"no answer, and a code", saying(figures) + "exit 1\n", func(r *Run) {}, spec.Unfinished, ErrTLC, "", nil, nil},
		{"failure", saying(message(msgOutOfMemory, 1, "Java ran out of memory")), func(r *Run) {}, spec.Unfinished, ErrMemory, "", nil, nil},
		{"an unreadable line", saying(strings.Repeat("x", 1<<20+1) + "\n" + success), func(r *Run) {}, spec.Unfinished, bufio.ErrTooLong, "", nil, nil},
		{"no Java", "", func(r *Run) { r.Tools.Java += "-none" }, spec.Unfinished, os.ErrNotExist, "", nil, nil},
		{"another jar", "", func(r *Run) { r.Tools.Jar = r.Tools.Java }, spec.Unfinished, ErrChecksum, "", nil, nil},
		{"no jar", "", func(r *Run) { r.Tools.Jar += "-none" }, spec.Unfinished, os.ErrNotExist, "", nil, nil},
		{"time limit", saying(figures) + "exec sleep 1000\n", func(r *Run) { r.Limit = time.Nanosecond }, spec.Unfinished, nil, "cut short", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, dir := asTLC(t, keep+c.script)
			c.change(&r)
			out, err := r.Check(context.Background())
			if out.Verdict != c.verdict || !errors.Is(err, c.want) || !strings.Contains(out.Note, c.note) {
				t.Errorf("Check: got %s, %v, note %q; want %s, %v, %q\n%s", out.Verdict, err, out.Note, c.verdict, c.want, c.note, out.Log)
			}
			if c.verdict == spec.Verified && (out.Generated != 12 || out.Distinct != 7 || out.Depth != 4 || out.Seconds <= 0 || !strings.Contains(string(out.Log), "12 states")) {
				t.Errorf("Check: got %+v", out)
			}
			arguments, _ := os.ReadFile(filepath.Join(dir, "arguments"))
			for _, has := range c.has {
				if !strings.Contains(string(arguments), has) {
					t.Errorf("arguments: got %s, want %q in it", arguments, has)
				}
			}
			for _, lacks := range c.lacks {
				if strings.Contains(string(arguments), lacks) {
					t.Errorf("arguments: got %s, want no %q", arguments, lacks)
				}
			}
			if c.has != nil {
				if text, err := os.ReadFile(filepath.Join(dir, "A.tla")); string(text) != "a module" {
					t.Errorf("TLC was given the module %q, %v", text, err)
				}
				if text, err := os.ReadFile(filepath.Join(dir, "MCSharedBarrier.cfg")); string(text) != r.Question.Configuration() {
					t.Errorf("TLC was given the configuration %q, %v", text, err)
				}
			}
			if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
				t.Errorf("Check leaves %v, %v", left, err)
			}
		})
	}
}

// TestUnit_ReplayAsks: Replay counts the steps that TLC takes, without the
// initial state of each trace, and gives it the traces.
func TestUnit_ReplayAsks(t *testing.T) {
	r, dir := asTLC(t, "cat Schedule.tla Replay.cfg >$LEFT/given\n"+
		saying(message(msgSuccess, 0, "")+message(msgStats, 0, "9 states generated, 7 distinct states found, 0 states left on queue.")))
	steps, err := r.Replay(context.Background(), model.Trace{{Label: "Call"}}, model.Trace{})
	given, _ := os.ReadFile(filepath.Join(dir, "given"))
	if steps != 5 || err != nil || !strings.Contains(string(given), `<<0, "Call", 0, 0, 0>>`) || !strings.Contains(string(given), "SPECIFICATION ReplaySpec") {
		t.Errorf("Replay: got %d, %v, want 5\n%s", steps, err, given)
	}
	r.Tools.Java += "-none"
	if _, err := r.Replay(context.Background(), model.Trace{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Replay without Java: got %v, want %v", err, os.ErrNotExist)
	}
}

// TestUnit_CheckAll: one run answers a group. If it refutes one question each is
// asked alone, up to one that fails.
func TestUnit_CheckAll(t *testing.T) {
	group := []Question{
		{Scenario: "reuse", Procs: 1, Kind: "a", Invariants: []string{"First"}, Class: Short},
		{Scenario: "reuse", Procs: 1, Kind: "b", Invariants: []string{"Second"}, Properties: []string{"NoHang"}, Class: Medium},
	}
	if all := join(group); all.Kind != "a+b" || all.Class != Medium || !slices.Equal(all.Invariants, []string{"First", "Second"}) || !slices.Equal(all.Properties, []string{"NoHang"}) {
		t.Errorf("join: got %+v", all)
	}
	if all := join([]Question{group[1], group[0]}); all.Class != Medium {
		t.Errorf("join: got class %s, want medium", all.Class)
	}
	for _, c := range []struct {
		name, script, want string
		fails              bool
	}{
		{"all hold", saying(message(msgSuccess, 0, "")), "verified verified", false},
		{"one is refuted", "grep -q Second *.cfg && { " + saying(message(msgInvariant, 1, "Invariant Second is violated.")) + "exit 12; }\n" + saying(message(msgSuccess, 0, "")), "verified violated", false},
		{"one hangs", "grep -q Second *.cfg && { " + saying(message(msgDeadlock, 1, "Deadlock reached.")) + "exit 12; }\n" + saying(message(msgSuccess, 0, "")), "verified hang", false},
		{"the run fails", "exit 1\n", "unfinished", true},
		{"one of them fails", "grep -q Second *.cfg || exit 1\n" + saying(message(msgInvariant, 1, "Invariant Second is violated.")), "unfinished", true},
	} {
		r, _ := asTLC(t, c.script)
		answers, err := r.CheckAll(context.Background(), group)
		var got []string
		for _, a := range answers {
			got = append(got, string(a.Verdict))
		}
		if strings.Join(got, " ") != c.want || (err != nil) != c.fails {
			t.Errorf("%s: CheckAll: got %v, %v, want %s", c.name, got, err, c.want)
		}
	}
}

// TestUnit_Distributed: the server's answer counts, unless it has no whole
// counterexample, or fails over a worker that came too late. Then one process is
// asked again.
func TestUnit_Distributed(t *testing.T) {
	success := message(msgSuccess, 0, "")
	violated := message(msgInvariant, 1, "Invariant Quiescent is violated.")
	behaviour := stateMessage(1, "Initial predicate", stateText)
	failure := message(1000, 1, "TLC threw an unexpected exception.")
	dismissed := message(msgWorkerDismissed, 0, "Worker")
	for _, c := range []struct {
		name, server, alone string
		verdict             spec.Verdict
		states              int
		want                error
		note                string
		asks                string // the programs that ran, sorted
	}{
		{"success", success, "", spec.Verified, 0, nil, "", "server worker worker"},
		{"no counterexample", violated, "", spec.Violated, 0, nil, "", "server worker worker"},
		{"the end of a counterexample", violated + behaviour, violated + behaviour + stateMessage(2, "Call", strings.Replace(stateText, "Call", "LockInit", 1)), spec.Violated, 1, nil, "", "alone server worker worker"},
		{"a late worker", dismissed + failure, success, spec.Verified, 0, nil, "one process was asked again", "alone server worker worker"},
		{"a failure", failure, success, spec.Unfinished, 0, ErrTLC, "", "server worker worker"},
		{"a success, and a failure after it", dismissed + success + failure, "", spec.Verified, 0, ErrTLC, "", "server worker worker"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The workers end with the server, once both have begun.
			r, dir := asTLC(t, `case "$*" in
*.TLCServer\ *) echo server >>"$LEFT/ran"; until [ $(grep -c worker "$LEFT/ran") = 2 ]; do sleep 0.01; done; `+saying(c.server)+`;;
*.TLCWorker\ *) echo worker >>"$LEFT/ran"; exec sleep 1000;;
*) echo alone >>"$LEFT/ran"; `+saying(c.alone)+`;;
esac
`)
			r.Distributed = 2
			out, err := r.Check(context.Background())
			ran, _ := os.ReadFile(filepath.Join(dir, "ran"))
			programs := strings.Fields(string(ran))
			slices.Sort(programs)
			if out.Verdict != c.verdict || !errors.Is(err, c.want) || len(out.Trace) != c.states || !strings.Contains(out.Note, c.note) || strings.Join(programs, " ") != c.asks {
				t.Errorf("Check: got %s, %v, a trace of %d, note %q by %v; want %s, %v, %d, %q by %s\n%s",
					out.Verdict, err, len(out.Trace), out.Note, programs, c.verdict, c.want, c.states, c.note, c.asks, out.Log)
			}
		})
	}
}

// TestUnit_DistributedPortTaken: a server whose port another process has taken
// is started again.
func TestUnit_DistributedPortTaken(t *testing.T) {
	taken := message(1000, 1, "The exception was a java.rmi.server.ExportException\n: Port already in use: 39205; nested exception is:")
	r, dir := asTLC(t, `case "$*" in
*.TLCServer\ *) echo server >>"$LEFT/ran"; [ $(wc -l <"$LEFT/ran") != 1 ] || { `+saying(taken)+`exit; }; `+saying(message(msgSuccess, 0, ""))+`;;
*.TLCWorker\ *) exec sleep 1000;;
esac
`)
	r.Distributed = 2
	out, err := r.Check(context.Background())
	ran, _ := os.ReadFile(filepath.Join(dir, "ran"))
	if out.Verdict != spec.Verified || err != nil || string(ran) != "server\nserver\n" || !strings.Contains(string(out.Log), "39205") {
		t.Errorf("Check: got %s, %v by %q, want %s by two servers\n%s", out.Verdict, err, ran, spec.Verified, out.Log)
	}
}
