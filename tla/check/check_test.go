package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/tla/tlc"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"check": main}) }

// check is the command as a process of its own, with a temporary folder of its
// own.
func check(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	if _, err := tlc.Find(context.Background(), nil); err != nil {
		if os.Getenv("SHAREDBARRIER_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	temp = t.TempDir()
	cmd = reexec.Command(context.Background(), "check", args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	return cmd, temp
}

// One JSON object a line, the record of all engines; exit code 0 though the
// answer is a violation, since it is the expected one; nothing left behind.
func TestProc_JSON(t *testing.T) {
	cmd, temp := check(t, "crash-n3-NoDeadlock", "single-n1-safety", "--json")
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
	if len(results) != 2 || results[0].Scenario != "single" || results[0].Verdict != spec.Verified || results[0].Distinct == 0 {
		t.Fatalf("check --json: %+v, want single verified first", results)
	}
	crash := results[1]
	last := crash.Trace[len(crash.Trace)-1]
	if crash.Verdict != spec.Hang || crash.Property != "NoHang" || last.Label != "Die" || last.Proc != 0 {
		t.Errorf("check --json crash-n3-NoDeadlock: %s %s, last %v; want hang NoHang with p0 dying last", crash.Verdict, crash.Property, last)
	}
	empty(t, temp)
}

// SIGINT ends Java and the command, which prints what it has and exits with
// 130, and leaves nothing behind.
func TestProc_Interrupt(t *testing.T) {
	for _, args := range [][]string{
		{"single-n1-safety", "withdraw-n6-safety"},
		{"withdraw-n3-safety", "withdraw-n6-safety", "--distributed", "2"},
	} {
		t.Run(strings.Join(args[2:], " "), func(t *testing.T) {
			t.Parallel()
			cmd, temp := check(t, append(args, "--json")...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Java is in its group: none is left in it when all have ended
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { // nobody is left of the group, unless the test has failed
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				cmd.Wait()
			})
			lines := bufio.NewScanner(stdout)
			if !lines.Scan() {
				cmd.Wait()
				t.Fatalf("check printed nothing, but on stderr: %s", stderr.String())
			}
			// The first answer is there, so the second question is being asked.
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != spec.ExitInterrupted {
				t.Errorf("check, interrupted: %v, want exit code %d\n%s", err, spec.ExitInterrupted, stderr.String())
			}
			if err := syscall.Kill(-cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("processes of the group after the end: %v, want none", err)
			}
			empty(t, temp)
		})
	}
}

// What cannot be asked is refused with a line that says what to do.
func TestUsage(t *testing.T) {
	for args, says := range map[string]string{
		"--scenario nonsense":             "late-construction",
		"--scenario fork":                 "late-construction",
		"--class eternal":                 "short",
		"reuse-n9-safety":                 ".cfg",
		"--scenario reuse --procs 9":      "no question is about that",
		"--workers 0":                     "1 or more",
		"--memory nonsense":               "--memory nonsense",
		"--distributed 2 --simulate 9":    "do not go together",
		"--distributed 2 reuse-n2-NoHang": "safety only",
		"--simulate 9 --procs 1":          "2 or more",
		"--simulate 9 reuse-n2-NoHang":    "safety only",
		"--seed 9":                        "--simulate",
		"--record x --workers 2":          "one worker",
		"--distributed -1":                "negative",
	} {
		cmd := command()
		cmd.SetArgs(strings.Fields(args))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		var exit cli.Exit
		if err := cmd.Execute(); err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), says) {
			t.Errorf("check %s: %v; want an error that says %q", args, err, says)
		}
	}
}

// Whatever keeps TLC from answering is one line on stderr that says what to do,
// and an exit code other than 0; no table without rows, no half record.
func TestProc_Failures(t *testing.T) {
	dir := t.TempDir()
	noJar := filepath.Join(dir, "tla2tools.jar")
	if err := os.WriteFile(noJar, []byte("not it"), 0o644); err != nil {
		t.Fatal(err)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip(err)
	}
	// A Java under which TLC complains of the spec as it does in earnest.
	complains := filepath.Join(dir, "bin", "java")
	script := `#!/bin/sh
case "$*" in *-version*) exec '` + java + `' -version;; esac
cat << end
*** Errors: 1
Unknown operator: x
@!@!@STARTMSG 3002:1 @!@!@
Parsing or semantic analysis failed.
@!@!@ENDMSG 3002 @!@!@
end
exit 150
`
	if err := errors.Join(os.Mkdir(filepath.Dir(complains), 0o755), os.WriteFile(complains, []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
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
			cmd, temp := check(t, append(test.args, "reuse-n4-safety", "--json")...)
			tools, err := tlc.Find(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			// A cache of its own, for the log that is kept of a failure.
			cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+t.TempDir(), tlc.JarVariable+"="+tools.Jar, "JAVA_HOME=", test.env)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err = cmd.Run()
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

// What is printed to ask again asks the same question, in the same way.
func TestAgain(t *testing.T) {
	for args, want := range map[string]string{
		"--scenario crash --json":                 "crash-n3-NoDeadlock",
		"reuse-n2-safety --simulate 5 --procs 7":  "reuse-n2-safety --procs 7 --simulate 5",
		"--scenario surplus --simulate 5":         "surplus-n3-r3-NoDeadlock --simulate 5",
		"--simulate 5 --seed 9 --memory 1g":       "reuse-n2-ReachOverlap --memory 1g --simulate 5 --seed 9",
		"reuse-n2-safety --workers 2 --limit 90s": "reuse-n2-safety --workers 2 --limit 1m30s",
		"reuse-n2-safety --distributed 2":         "reuse-n2-safety --distributed 2",
	} {
		o, chosen := asked(t, strings.Fields(args))
		command := o.again(chosen[0])
		if command != "go run ./tla/check "+want+" --trace" {
			t.Errorf("check %s, again: %s; want %s", args, command, want)
		}
		again, same := asked(t, strings.Fields(command)[3:])
		if len(same) != 1 || same[0].config.Name != chosen[0].config.Name || again.seed != o.seed || again.limit != o.limit {
			t.Errorf("%s asks %v, want %s alone", command, same, chosen[0].config.Name)
		}
	}
}

// asked is what the command asks with these arguments.
func asked(t *testing.T, args []string) (options, []question) {
	t.Helper()
	var o options
	cmd := commandWith(&o)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	o.read(cmd, cmd.Flags().Args())
	all, err := allQuestions()
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := o.questions(all)
	if err != nil {
		t.Fatal(err)
	}
	return o, chosen
}

// The same seed tries the same behaviours, so finds the same counterexample;
// another does not.
func TestProc_Simulate_Seed(t *testing.T) {
	counterexample := func(seed string) []model.Entry {
		cmd, temp := check(t, "surplus-n3-r3-NoEarlyExit", "--simulate", "100", "--json", "--seed", seed)
		output, err := cmd.CombinedOutput()
		var r model.Result
		if err != nil || json.Unmarshal(output, &r) != nil || len(r.Trace) == 0 {
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

// Where nothing is found, it says whether all that was asked for was tried.
func TestProc_Simulate_Note(t *testing.T) {
	for limit, says := range map[string]string{"10m": "all 2 random behaviours tried", "1ms": "cut short"} {
		cmd, temp := check(t, "reuse-n2-safety", "--simulate", "2", "--limit", limit)
		output, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != spec.ExitUnfinished || !strings.Contains(string(output), says) {
			t.Errorf("check --simulate --limit %s: %v, want exit code %d and %q\n%s", limit, err, spec.ExitUnfinished, says, output)
		}
		empty(t, temp)
	}
}

// Every answer that is not the expected one ends with a code other than 0: that
// of what was found, or 2 where nothing wrong was found though it should be.
func TestVerdict(t *testing.T) {
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

// Answers are written into the manifest, and those that were not asked for stay.
func TestRecord(t *testing.T) {
	all, err := allQuestions()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "manifest.json")
	changed := row{question: all[0], result: model.Result{Verdict: spec.Verified, Distinct: 42, Generated: 43, Depth: 44}}
	if err := record(path, all, []row{changed}); err != nil {
		t.Fatal(err)
	}
	manifest, err := tlc.ReadManifest(os.DirFS(filepath.Dir(path)))
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Configs) != len(all) {
		t.Errorf("record wrote %d answers, want %d", len(manifest.Configs), len(all))
	}
	for i, q := range all {
		got := manifest.Find(q.config.Name)
		switch {
		case i == 0 && (got.Distinct != 42 || got.Generated != 43 || got.Depth != 44 || got.Class != q.expected.Class):
			t.Errorf("record wrote %+v for the question that was asked", got)
		case i > 0 && got != q.expected:
			t.Errorf("record changed the answer to %s: %+v, want %+v", q.config.Name, got, q.expected)
		}
	}
}

// An answer that is not finished is written nowhere: the file stays as it is,
// and nothing is left beside it. Finished, it is.
func TestProc_RecordFinished(t *testing.T) {
	const good = "the good answers"
	for limit, want := range map[string]int{"1ms": spec.ExitUnfinished, "10m": spec.ExitOK} {
		dir := t.TempDir()
		path := filepath.Join(dir, "manifest.json")
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
			t.Errorf("check --record --limit %s left %v, %v; want manifest.json alone", limit, entries, err)
		}
	}
}

// TLC's server counts some states twice, with one worker process, too: that is
// no difference.
func TestProc_DistributedByOne(t *testing.T) {
	cmd, temp := check(t, "reuse-n2-safety", "--distributed", "1")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("check --distributed 1: %v, want the expected answer\n%s", err, output)
	}
	empty(t, temp)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", entries, err)
	}
}
