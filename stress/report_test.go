//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec"
)

// TestUnit_NextActionsParse: the commands of each next action have flags and
// subcommands that there are. The control is a command with a wrong one.
func TestUnit_NextActionsParse(t *testing.T) {
	text, err := os.ReadFile("report/testdata/endings.json")
	if err != nil {
		t.Fatal(err)
	}
	var endings []struct{ End, Next string }
	if err := json.Unmarshal(text, &endings); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, e := range endings {
		for _, m := range regexp.MustCompile("`([^`]*go run ./stress[^`]*)`").FindAllStringSubmatch(e.Next, -1) {
			count++
			if err := parses(t, m[1]); err != nil {
				t.Errorf("%s: %s: %v", e.End, m[1], err)
			}
		}
	}
	if count < len(endings)/2 {
		t.Errorf("%d endings have %d commands, want more", len(endings), count)
	}
	for _, wrong := range []string{"go run ./stress --port c --stalls 3s", "go run ./stress conformity", "go run ./stress --for 3"} {
		if parses(t, wrong) == nil {
			t.Errorf("%s: it parses", wrong)
		}
	}
}

// parses has a shell split a command that begins with "go run ./stress", after
// assignments to variables, and this program read its flags.
func parses(t *testing.T, command string) error {
	t.Helper()
	_, args, _ := strings.Cut(command, "go run ./stress ")
	out, err := exec.Command("sh", "-c", `printf '%s\0' `+args).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	cmd, rest, err := commands().Find(strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// TestHazard_FailuresHaveACause ends runs in several ways, and wants the name,
// the cause and the next action of each. The control ends by itself.
func TestHazard_FailuresHaveACause(t *testing.T) {
	dies := `exec:echo "port 1"; read -r open; echo opened; read -r call; echo the disk is full >&2; exit 7`
	nonsense := `exec:echo "port 1"; read -r open; echo opened; read -r call; echo what; read -r more`
	for _, c := range []struct {
		args   []string
		signal syscall.Signal // for worker 1
		end    string
		cause  string
		next   string
	}{
		{[]string{"--procs", "2", "--rounds", "20"}, 0, "completed", "", ""},
		{[]string{"--procs", "2", "--for", "1h"}, syscall.SIGKILL, "killed", "signal: killed", "dmesg"},
		{[]string{"--procs", "2", "--for", "1h"}, syscall.SIGSEGV, "died", "worker", "stderr"},
		{[]string{"--procs", "2", "--for", "1h", "--stall", "5s"}, syscall.SIGSTOP, "stopped", "stopped", "kill -CONT"},
		{[]string{"--port", dies, "--for", "1h"}, 0, "port-died", "the disk is full", " || exit; echo"},
		{[]string{"--port", nonsense, "--for", "1h"}, 0, "port-nonsense", `"what"`, "spec/PORTS.md"},
	} {
		t.Run(c.end, func(t *testing.T) {
			t.Parallel()
			p := startCommand(t, append(c.args, "--json")...)
			if c.signal != 0 {
				signal(t, p.awaitRounds(t, 2)[1], c.signal)
			}
			p.exitCode(t)
			rep := p.report(t)
			if rep.End != c.end || !strings.Contains(rep.Cause, c.cause) || !strings.Contains(rep.Next, c.next) || (rep.Cause == "") != (rep.Verdict == spec.Passed) {
				t.Errorf("%v, end %q, cause %q, next %q; want end %q, and in them %q, %q", rep.Verdict, rep.End, rep.Cause, rep.Next, c.end, c.cause, c.next)
			}
			p.checkNothingLeft(t)
		})
	}
}
