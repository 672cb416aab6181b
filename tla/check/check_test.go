package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

func TestMain(m *testing.M) { reexec.Main(m, programs) }

// programs are those that the tests run in processes of their own.
var programs = map[string]func(){"check": main}

// check is the command as a process of its own, with a temporary folder of its
// own. With -short only TestProc_JSON runs.
func check(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	if testing.Short() && t.Name() != "TestProc_JSON" {
		t.Skip("-short: TestProc_JSON runs TLC")
	}
	_, err := tlc.Find(context.Background(), nil)
	toolcache.Require(t, err)
	temp = t.TempDir()
	cmd = reexec.Command(context.Background(), "check", args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	return cmd, temp
}

// It prints one JSON object a line, the record of all engines, and --timeline has
// a page of the counterexamples. The exit code is
// 0 although an answer is a violation, since it is the expected one. Nothing is
// left behind.
func TestProc_JSON(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "timeline.html")
	cmd, temp := check(t, "crash-n3-NoDeadlock", "single-n1-safety", "single-n1-refines", "--json", "--timeline", page)
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	var results []model.Result
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		var r model.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	if len(results) != 3 || results[0].Scenario != "single" || results[0].Verdict != spec.Verified || results[0].Distinct == 0 ||
		!strings.Contains(string(output), `"config":"single-n1-safety","together":["single-n1-refines"]`) {
		t.Fatalf("check --json: %s, want the two of single verified first, together", output)
	}
	crash := results[2]
	last := crash.Trace[len(crash.Trace)-1]
	if crash.Verdict != spec.Hang || crash.Property != "NoHang" || last.Label != "Die" || last.Proc != 0 {
		t.Errorf("check --json crash-n3-NoDeadlock: %s %s, last %v; want hang NoHang with p0 dying last", crash.Verdict, crash.Property, last)
	}
	html, err := os.ReadFile(page)
	if err != nil || strings.Count(string(html), `<section class="timeline"`) != 1 || !strings.Contains(string(html), "crash-n3-NoDeadlock") {
		t.Errorf("check --timeline: %v; want one timeline, of crash-n3-NoDeadlock", err)
	}
	empty(t, temp)
}

// SIGINT ends Java and the command, which prints what it has, exits with 130,
// and leaves nothing behind.
func TestProc_Interrupt(t *testing.T) {
	for _, args := range [][]string{
		{"single-n1-safety", "withdraw-n6-safety"},
		{"withdraw-n3-safety", "withdraw-n6-safety", "--distributed", "2"},
	} {
		t.Run(strings.Join(args[2:], " "), func(t *testing.T) {
			t.Parallel()
			cmd, temp := check(t, append(args, "--json")...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout := reexec.Start(t, cmd)
			t.Cleanup(func() { cmd.Process.Kill() }) // it has ended, unless the test has failed
			lines := bufio.NewScanner(stdout)
			if !lines.Scan() || strings.Contains(lines.Text(), "differs") {
				cmd.Wait()
				t.Fatalf("check printed %s first, want the expected answer; and on stderr: %s", lines.Text(), stderr.String())
			}
			// The first answer is there, so the second question is being asked.
			for _, address := range listeners(t, cmd.Process.Pid, temp) {
				if address != "127.0.0.1" {
					t.Errorf("TLC listens on %s, want the loopback address only", address)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != spec.ExitInterrupted {
				t.Errorf("check, interrupted: %v, want exit code %d\n%s", err, spec.ExitInterrupted, stderr.String())
			}
			if left := running(t, temp); len(left) > 0 {
				t.Errorf("processes after the end: %v, want none", left)
			}
			empty(t, temp)
		})
	}
}

// running lists the processes with the text in their arguments, as those of
// Java have the temporary folder.
func running(t *testing.T, text string) (list []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(paths) == 0 {
		t.Fatalf("processes: %v, %v", paths, err)
	}
	for _, path := range paths {
		if args, err := os.ReadFile(path); err == nil && bytes.Contains(args, []byte(text)) {
			list = append(list, path)
		}
	}
	return list
}

// listeners returns the addresses on which the processes with the text in their
// arguments listen. It waits until there are some and each of them listens.
func listeners(t *testing.T, command int, text string) (addresses []string) {
	t.Helper()
	await(t, command, "TLC listened", func() bool {
		processes := running(t, text)
		silent := len(processes) == 0
		addresses = nil
		for _, path := range processes {
			of := listening(filepath.Dir(path))
			addresses = append(addresses, of...)
			silent = silent || len(of) == 0
		}
		return !silent
	})
	return addresses
}

// await waits until done reports true. The test fails if the command with the
// number ends before that.
func await(t *testing.T, command int, what string, done func() bool) {
	t.Helper()
	for !done() {
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", command)); err != nil { // it has ended
			t.Fatalf("check ended before %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// listening returns the addresses on which the process listens, by its folder
// in /proc.
func listening(proc string) (addresses []string) {
	sockets, _ := filepath.Glob(filepath.Join(proc, "fd", "*"))
	for i := range sockets {
		sockets[i], _ = os.Readlink(sockets[i])
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, _ := os.ReadFile(filepath.Join(proc, "net", table))
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != "0A" || !slices.Contains(sockets, "socket:["+fields[9]+"]") {
				continue
			}
			number, _, _ := strings.Cut(fields[1], ":")
			raw, _ := hex.DecodeString(number)
			for word := range slices.Chunk(raw, 4) { // each in the byte order of the machine
				binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
			}
			addresses = append(addresses, net.IP(raw).String())
		}
	}
	return addresses
}

// What cannot be asked is refused with a line that says what to do.
func TestUnit_Usage(t *testing.T) {
	for args, want := range map[string]string{
		"--scenario nonsense":             "late-construction",
		"--scenario fork":                 "late-construction",
		"--class eternal":                 "short",
		"reuse-n9-safety":                 "tla/README.md",
		"--scenario reuse --procs 9":      "no question is about that",
		"--workers 0":                     "1 or more",
		"--workers 1000000000":            "up to 256",
		"--distributed 1000000000":        "256 or fewer",
		"--memory nonsense":               "--memory nonsense",
		"--distributed 2 --simulate 9":    "do not go together",
		"--distributed 2 reuse-n2-NoHang": "safety only",
		"--simulate 9 --procs 1":          "2 or more",
		"--simulate 9 reuse-n2-NoHang":    "safety only",
		"--seed 9":                        "--simulate",
		"--record x --workers 2":          "one worker",
		"--distributed -1":                "negative",
		"--timeline x --jar":              "--timeline needs answers",
	} {
		var exit cli.Exit
		if _, _, err := clitest.Run(t.Context(), command(), "", strings.Fields(args)...); err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), want) {
			t.Errorf("check %s: %v; want an error with %q", args, err, want)
		}
	}
}

// If TLC cannot answer, the command prints one line on stderr that says what to
// do and exits with 2. It prints no table without rows, and no half record.
func TestProc_Failures(t *testing.T) {
	dir := t.TempDir()
	noJar := filepath.Join(dir, "tla2tools.jar")
	if err := os.WriteFile(noJar, []byte("not it"), 0o644); err != nil {
		t.Fatal(err)
	}
	tools, err := tlc.Find(context.Background(), nil)
	toolcache.Require(t, err)
	// A Java that prints what TLC prints of a spec that it cannot parse.
	clitest.Script(t, filepath.Join(dir, "bin", "java"), `case "$*" in *-version*) exec '`+tools.Java+`' -version;; esac
cat << end
*** Errors: 1
Unknown operator: x
@!@!@STARTMSG 3002:1 @!@!@
Parsing or semantic analysis failed.
@!@!@ENDMSG 3002 @!@!@
end
exit 150`)
	for name, test := range map[string]struct {
		env  string
		args []string
		says string
	}{
		"wrong checksum": {env: tlc.JarVariable + "=" + noJar, says: "checksum"},
		"no Java":        {env: "PATH=" + dir, says: "install a JRE"},
		"out of memory":  {args: []string{"--memory", "5m"}, says: "--memory"},
		"parse error":    {env: "JAVA_HOME=" + dir, says: "Unknown operator: x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, temp := check(t, append(test.args, "reuse-n4-safety", "--json")...)
			// A cache of its own, for the log that is kept of a failure.
			cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+t.TempDir(), tlc.JarVariable+"="+tools.Jar, "JAVA_HOME=", test.env)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != spec.ExitUsage || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), test.says) {
				t.Errorf("check: %v, stderr %q; want exit code %d and one line that says %q", err, stderr.String(), spec.ExitUsage, test.says)
			}
			if stdout.Len() > 0 {
				t.Errorf("check prints %q, want nothing", stdout.String())
			}
			empty(t, temp)
		})
	}
	t.Run("no table", func(t *testing.T) {
		var table bytes.Buffer
		if err := writeTable(&table, nil, true); err != nil || table.Len() > 0 {
			t.Errorf("writeTable without rows: %q, %v; want nothing", table.String(), err)
		}
	})
}

// The same answer comes in each of these settings.
func TestProc_Settings(t *testing.T) {
	tools, err := tlc.Find(context.Background(), nil)
	toolcache.Require(t, err)
	jar, err := os.ReadFile(tools.Jar)
	if err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][]string{
		"options of tools":    {"JAVA_TOOL_OPTIONS=-XX:+UseG1GC -Duser.language=de"},
		"options of launcher": {"JDK_JAVA_OPTIONS=-XX:+UseZGC -cp nothing"},
		"last options":        {"_JAVA_OPTIONS=-XX:+UseG1GC -Djava.io.tmpdir=/nowhere -Duser.language=de"},
		"paths":               {"LC_ALL=C", "TMPDIR=tmp", "JAVA_HOME=jre ü:x", tlc.JarVariable + "=ü:x/tlc.jar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, temp := check(t, "reuse-n3-safety", "--json")
			cmd.Dir = filepath.Join(t.TempDir(), "a b ü:x")
			home := filepath.Join(cmd.Dir, "jre ü:x", "bin")
			if err := errors.Join(os.MkdirAll(filepath.Join(cmd.Dir, "tmp"), 0o755), os.Mkdir(filepath.Join(cmd.Dir, "ü:x"), 0o755),
				os.MkdirAll(home, 0o755), os.Symlink(tools.Java, filepath.Join(home, "java")),
				os.WriteFile(filepath.Join(cmd.Dir, "ü:x", "tlc.jar"), jar, 0o644)); err != nil {
				t.Fatal(err)
			}
			cmd.Env = append(cmd.Env, env...)
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("check with %q: %v\n%s", env, err, output)
			}
			empty(t, temp)
			empty(t, filepath.Join(cmd.Dir, "tmp"))
		})
	}
}

// The command that reproduces an answer asks the same question, in the same
// way.
func TestUnit_Reproduce(t *testing.T) {
	for args, want := range map[string]string{
		"--scenario crash --json":                 "crash-n3-holds",
		"reuse-n2-safety --simulate 5 --procs 7":  "reuse-n2-safety --procs 7 --simulate 5",
		"--scenario surplus --simulate 5":         "surplus-n3-r3-holds --simulate 5",
		"--simulate 5 --seed 9 --memory 1g":       "reuse-n2-safety --memory 1g --simulate 5 --seed 9",
		"reuse-n2-safety --workers 2 --limit 90s": "reuse-n2-safety --workers 2 --limit 1m30s",
		"reuse-n2-safety --distributed 2":         "reuse-n2-safety --distributed 2",
	} {
		o, chosen := asked(t, strings.Fields(args))
		command := o.reproduce(chosen[0])
		if command != "go run ./tla/check "+want+" --trace" {
			t.Errorf("check %s, reproduce: %s; want %s", args, command, want)
		}
		again, same := asked(t, strings.Fields(command)[3:])
		if len(same) != 1 || same[0].Name() != chosen[0].Name() || again.seed != o.seed || again.limit != o.limit {
			t.Errorf("%s asks %v, want %s alone", command, same, chosen[0].Name())
		}
	}
}

// asked is what the command asks with these arguments.
func asked(t *testing.T, args []string) (options, []tlc.Question) {
	t.Helper()
	var o options
	cmd := commandWith(&o)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	o.read(cmd, cmd.Flags().Args())
	all, err := tlc.ReadQuestions(tla.Files)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := o.questions(all)
	if err != nil {
		t.Fatal(err)
	}
	return o, chosen
}

// The same seed tries the same behaviours and finds the same counterexample, of
// any number of processes. Another seed does not.
func TestProc_SimulateSeed(t *testing.T) {
	t.Parallel()
	counterexample := func(seed string) model.Trace {
		cmd, temp := check(t, "surplus-n3-r3-NoEarlyExit", "--simulate", "100", "--procs", "7", "--json", "--seed", seed)
		output, err := cmd.CombinedOutput()
		var r model.Result
		if err != nil || json.Unmarshal(output, &r) != nil || r.Property != "NoEarlyExit" || r.Procs != 7 || len(r.Trace) == 0 {
			t.Fatalf("check --simulate 100 --seed %s: %v, want a counterexample\n%s", seed, err, output)
		}
		empty(t, temp)
		return r.Trace
	}
	one := counterexample("7")
	if same := counterexample("7"); !slices.Equal(same, one) {
		t.Errorf("check --simulate with the same seed finds\n%v\nand then\n%v", one, same)
	}
	if other := counterexample("8"); slices.Equal(other, one) {
		t.Errorf("check --simulate with another seed finds the same again: %v", one)
	}
}

// If nothing is found, it prints whether it tried all behaviours.
func TestProc_SimulateNote(t *testing.T) {
	t.Parallel()
	for limit, says := range map[string]string{"10m": "all 2 random behaviours tried", "1ms": "cut short"} {
		cmd, temp := check(t, "reuse-n2-safety", "--simulate", "2", "--limit", limit)
		output, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != spec.ExitUnfinished || !strings.Contains(string(output), says) {
			t.Errorf("check --simulate --limit %s: %v, want exit code %d and %q\n%s", limit, err, spec.ExitUnfinished, says, output)
		}
		empty(t, temp)
	}
}

// An answer that is not the expected one ends with the code of what was found,
// or with 2 if nothing wrong was found though it should be.
func TestUnit_Verdict(t *testing.T) {
	for name, test := range map[string]struct {
		rows []row
		want int
	}{
		"all as expected":       {[]row{{}, {result: model.Result{Verdict: spec.Hang}}}, spec.ExitOK},
		"hang":                  {[]row{{}, {differs: "x", result: model.Result{Verdict: spec.Hang, Property: "NoHang"}}}, spec.ExitHang},
		"safety":                {[]row{{differs: "x", result: model.Result{Verdict: spec.Violated, Property: "NoEarlyExit"}}}, spec.ExitSafety},
		"refinement":            {[]row{{differs: "x", result: model.Result{Verdict: spec.Violated, Property: "RefinesBarrier"}}}, spec.ExitSafety},
		"liveness":              {[]row{{differs: "x", result: model.Result{Verdict: spec.Violated, Property: "NoHang"}}}, spec.ExitLiveness},
		"unfinished":            {[]row{{differs: "x", result: model.Result{Verdict: spec.Unfinished}}}, spec.ExitUnfinished},
		"verified unexpectedly": {[]row{{differs: "x", result: model.Result{Verdict: spec.Verified}}}, spec.ExitUsage},
	} {
		err := verdict(test.rows)
		got := spec.ExitUsage
		var exit cli.Exit
		switch {
		case err == nil:
			got = spec.ExitOK
		case errors.As(err, &exit):
			got = int(exit)
		}
		if got != test.want {
			t.Errorf("%s: verdict = %v, exit code %d, want %d", name, err, got, test.want)
		}
	}
}

// record writes answers into the table, and leaves those that were not asked
// for.
func TestUnit_Record(t *testing.T) {
	all, err := tlc.ReadQuestions(tla.Files)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), tlc.TableFile)
	write := func(rows ...row) []tlc.Question {
		if err := record(path, all, rows); err != nil {
			t.Fatal(err)
		}
		list, err := tlc.ReadQuestions(os.DirFS(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	write()
	old, _ := tla.Files.ReadFile(tlc.TableFile)
	if text, err := os.ReadFile(path); !bytes.Equal(text, old) {
		t.Errorf("record without answers changes the table, %v", err)
	}
	want := slices.Clone(all)
	want[0].Distinct, want[0].Generated, want[0].Depth = 42, 43, 44
	got := write(row{Question: all[0], result: model.Result{Verdict: spec.Verified, Distinct: 42, Generated: 43, Depth: 44}})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("record of one answer wrote\n%v\nwant\n%v", got, want)
	}
}

// An answer is written if it is finished. If not, the file stays as it is, and
// nothing is left beside it.
func TestProc_RecordFinished(t *testing.T) {
	t.Parallel()
	const good = "the good answers"
	for limit, want := range map[string]int{"1ms": spec.ExitUnfinished, "10m": spec.ExitOK} {
		dir := t.TempDir()
		path := filepath.Join(dir, tlc.TableFile)
		if err := os.WriteFile(path, []byte(good), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd, _ := check(t, "single-n1-safety", "--record", path, "--limit", limit)
		output, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("check --record --limit %s: %v, want exit code %d\n%s", limit, err, want, output)
		}
		text, err := os.ReadFile(path)
		if kept := string(text) == good; err != nil || kept != (want != spec.ExitOK) {
			t.Errorf("check --record --limit %s: the file is as it was: %v, %v; want %v", limit, kept, err, !kept)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("check --record --limit %s left %v, %v; want the table alone", limit, entries, err)
		}
	}
}

// TLC's server counts some states twice, and with several workers depth may be
// another: neither is a difference.
func TestUnit_CompareInexact(t *testing.T) {
	q := tlc.Question{Verdict: spec.Verified, Distinct: 5, Generated: 9, Depth: 3}
	got := model.Result{Verdict: spec.Verified, Distinct: 5, Generated: 10, Depth: 4}
	for o, same := range map[*options]bool{{workers: 1}: false, {workers: 2}: true, {workers: 1, distributed: 1}: true} {
		if differs := o.compare(q, got); (differs == "") != same {
			t.Errorf("compare with %d workers, %d distributed: %q; want no difference: %v", o.workers, o.distributed, differs, same)
		}
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", entries, err)
	}
}
