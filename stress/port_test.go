//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

// Four ports of three languages share a barrier.
func TestProc_PortsMixed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	args := []string{"--rounds", "100", "--stall", "5m", "--json"}
	for _, p := range []string{"c", "go", "python", "python@newest"} {
		porttest.Need(t, p)
		args = append(args, "--port", p)
	}
	p := startCommand(t, args...)
	p.awaitWorkers(t, 4)
	code, rep := p.exitCode(t), p.report(t)
	if code != spec.ExitOK || rep.Verdict != spec.Passed || len(rep.Ports) != 4 || rep.Procs != 4 || rep.Calls != 4*rep.Rounds {
		t.Errorf("exit code %d, report %s; want passed, 4 ports, 4 calls a round", code, p.out.String())
	}
	p.checkNothingLeft(t)
}

// openEnv names a file to which a port of sh writes the arguments of its open.
const openEnv = "STRESS_TEST_OPEN"

// sh returns a port, written for the shell, that answers as a port should, and
// does misdeed instead of its third call.
func sh(misdeed string) string {
	return `exec:echo "port 1"; n=0; while read -r request rest; do case $request in ` +
		`open) echo "$rest" >"$` + openEnv + `"; echo opened;; close) echo closed; exit 0;; ` +
		`call) n=$((n+1)); if [ $n = 3 ]; then ` + misdeed + `; else echo returned; fi;; esac; done`
}

// Each port misbehaves alone at its barrier. The first one is the control.
func TestHazard_PortsMisbehave(t *testing.T) {
	marker := uniqueSeconds()
	for _, c := range []struct {
		name, port string
		code       int
		want       []string
	}{
		{"behaves", sh("echo returned"), spec.ExitOK, []string{"passed"}},
		{"nonsense", sh("echo what"), spec.ExitHang, []string{`nonsense: its line 5 is "what", in answer to "call 1"`}},
		{"the answer to something else", sh("echo opened"), spec.ExitHang, []string{`its line 5 is "opened"`, `want "returned"`}},
		{"a failure", sh("echo error the disk is full"), spec.ExitHang, []string{`failed: its line 5 is "error the disk is full"`}},
		{"garbage", sh(`printf '\377\376\n'`), spec.ExitHang, []string{`its line 5 is "\xff\xfe"`, "not UTF-8"}},
		{"a long line", sh(`printf '%9000d\n' 1`), spec.ExitHang, []string{"line is longer than 4096 bytes"}},
		{"dies", sh("echo no memory >&2; exit 7"), spec.ExitHang, []string{"died: its line 5 did not come", "exit status 7", "no memory"}},
		{"dies, and something stays", sh("exec 3<&0; setsid sh -c 'while read -r request; do :; done' <&3 & exit 3"), spec.ExitHang, []string{"died: its line 5 did not come", "exit status 3"}},
		{"is killed", sh("kill -9 $$"), spec.ExitHang, []string{"died: its line 5 did not come", "signal: killed"}},
		{"half a line", sh("printf retur; exit 0"), spec.ExitHang, []string{`its line 5 is "retur"`, "ends within the line"}},
		{"hangs", sh("echo waiting for the disk >&2; exec sleep " + marker), spec.ExitHang,
			[]string{"no worker made progress for 3s", "its line 5 (returned) has not come", `standard error of the port of worker 0 ends with "waiting for the disk"`}},
		{"has escape sequences", sh(`printf 'error \033[2J\302\2332J\n'`), spec.ExitHang, []string{`"error \x1b[2J\u009b2J"`}},
		{"truncates the segment", sh(`read -r name path <"$` + openEnv + `"; : >"/dev/shm/$name"; exit 7`), spec.ExitHang,
			[]string{"worker 0", "exit status 7", "unreadable", "wrong size", "next step"}},
		{"replaces the lock file", sh(`read -r name path <"$` + openEnv + `"; rm -f "$path"; mkfifo "$path"; exit 7`), spec.ExitHang,
			[]string{"worker 0", "exit status 7", "enter=", "unknown", "not a regular file", "next step"}},
		{"no hello", "exec:echo hello", spec.ExitUsage, []string{`its line 1 is "hello"`}},
		{"cannot start", "exec:exec /nonexistent/port", spec.ExitUsage, []string{"its line 1 did not come", "/nonexistent/port"}},
		{"does not end", "exec:" + `echo "port 1"; read -r open; echo opened; while read -r request; do echo returned; done`, spec.ExitHang, []string{`in answer to "close"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stall := "5m"
			if c.name == "hangs" {
				stall = "3s"
			}
			p := startShell(t, "--port", c.port, "--rounds", "5", "--stall", stall)
			code := p.exitCode(t)
			said := p.out.String() + p.err.String()
			for _, want := range c.want {
				if code != c.code || !strings.Contains(said, want) {
					t.Errorf("exit code %d, want %d and %q in:\n%s", code, c.code, want, said)
				}
			}
			if strings.ContainsAny(said, "\x1b\u009b") {
				t.Errorf("an escape sequence:\n%q", said)
			}
			if strings.Contains(said, "stress: stress:") {
				t.Errorf("a prefix is there twice:\n%s", said)
			}
			p.checkNothingLeft(t)
			if c.name == "hangs" {
				awaitSleepers(t, p, marker, false)
			}
		})
	}
}

// startShell starts the command with ports of sh.
func startShell(t *testing.T, args ...string) *command {
	t.Helper()
	p := newCommand(t, args...)
	p.Env = append(p.Env, openEnv+"="+filepath.Join(t.TempDir(), "opened"))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// uniqueSeconds returns a very long time in seconds: an argument of sleep that
// identifies the process.
func uniqueSeconds() string { return fmt.Sprint(1e9 + rand.Int64N(1e9)) }

// awaitSleepers waits until a process, which p starts, sleeps for so many
// seconds, or until none does.
func awaitSleepers(t *testing.T, p *command, seconds string, want bool) {
	t.Helper()
	for (len(sleepers(t, seconds)) > 0) != want {
		if want && porttest.HasEnded(t, p.Process) {
			t.Fatalf("the program has ended, and no process sleeps: exit code %d\n%s", p.exitCode(t), p.err.String())
		}
		runtime.Gosched()
	}
}

// sleepers lists the processes that sleep for so many seconds.
func sleepers(t *testing.T, seconds string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(file string) bool {
		line, _ := os.ReadFile(file) // fails if the process is gone
		return !slices.Contains(strings.Split(string(line), "\x00"), seconds)
	})
}

// The program is killed in mid-run, while its port ignores the end of its
// input. Neither the port nor the worker stays.
func TestProc_PortsOfAKilledRun(t *testing.T) {
	marker := uniqueSeconds()
	p := startShell(t, "--port", sh("exec sleep "+marker), "--for", "1h", "--stall", "5m")
	awaitSleepers(t, p, marker, true)
	signal(t, p.Process.Pid, syscall.SIGKILL)
	p.exitCode(t)
	awaitSleepers(t, p, marker, false)
}

// withStrays returns a port that starts processes, which leave its process group
// and hold its streams, and then sleeps: one whose parent lives on, one whose
// parent has ended, and one that has no environment either.
func withStrays(strays, port string) string {
	const start = `: "$( %s setsid sh -c 'exec sleep %s <&4 >&3' %s)"; ` // until that sleeps
	return "exec:exec 3>&1 4<&0; " + fmt.Sprintf(start, "", strays, "&") + fmt.Sprintf(start, "(", strays, "&)") +
		fmt.Sprintf(start, "(env -i", strays, "&)") + "exec sleep " + port
}

// TestProc_StraysEnd interrupts commands whose ports have started processes
// that left the process group. These end too, and the command names them.
func TestProc_StraysEnd(t *testing.T) {
	for _, args := range [][]string{{"--json"}, {}, {"lockstep", "--random"}, {"conformance", "--limit", "10h"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			strays, port := uniqueSeconds(), uniqueSeconds()
			p := startCommand(t, append(args, "--port", withStrays(strays, port))...)
			awaitSleepers(t, p, port, true)
			p.await(t, "3 strays slept", func() bool { return len(sleepers(t, strays)) == 3 }) // until then one may be named sh
			signal(t, p.Process.Pid, syscall.SIGINT)
			code := p.exitCode(t)
			if said := p.out.String() + p.err.String(); code != spec.ExitInterrupted || strings.Count(said, `"sleep`) != 3 || strings.Contains(said, "Ended") == slices.Contains(args, "--json") {
				t.Errorf("exit code %d, want %d and 3 processes named in:\n%s", code, spec.ExitInterrupted, said)
			}
			if len(sleepers(t, strays)) > 0 {
				t.Error("a process that left the group goes on")
			}
			p.checkNothingLeft(t)
		})
	}
}

// The help says that a number at the end of a port is a count.
func TestProc_HelpOfPort(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"lockstep", "--help"}} {
		p := startCommand(t, args...)
		if code := p.exitCode(t); code != spec.ExitOK || !strings.Contains(p.out.String(), registry.CountHelp) {
			t.Errorf("%q: exit code %d, %s; want 0 and %q", args, code, p.out.String(), registry.CountHelp)
		}
	}
}

func TestProc_BadPortFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--port cobol":                         "there are go,",
		"--port go=0":                          "the count is 0; give 1 to 1024",
		"--port go=9223372036854775807":        "the count is 9223372036854775807; give 1 to 1024",
		"--port go=1000 --port c=1000":         "there are 2000 of --port; give 1024 at most",
		"--port go=x":                          "no count",
		"--port c@no-such":                     `no mutant "no-such"; there are `,
		"--port python@2":                      "python@newest",
		"--port go --procs 2":                  "exclude each other",
		"conformance":                          "port",
		"conformance --port cobol":             "there are go,",
		"conformance --port go --without luck": "luck",
		"conformance --port go --port go":      "--port go is given twice",
		"conformance --mutants --out d":        "mutants",
	} {
		wantUsageError(t, want, strings.Fields(args)...)
	}
}
