//go:build linux

package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// frozen returns the path of the control group by which the process is frozen,
// or "?" if only its state shows that it is frozen; empty: it is not. A
// container that is paused is frozen.
func frozen(pid int, state, wchan string) string {
	if state != "S" && state != "D" {
		return "" // it is neither in the second version of control groups nor in the first
	}
	groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(groups)) {
		// 6:freezer:/docker/4f3c…
		// 0::/system.slice/docker-4f3c….scope
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		switch group := f[2]; {
		case f[1] == "freezer" && says("freezer.state", "FROZEN", "/sys/fs/cgroup/freezer", group),
			f[0] == "0" && says("cgroup.events", "frozen 1", "/sys/fs/cgroup", group),
			f[0] == "0" && says("cgroup.events", "frozen 1", "/sys/fs/cgroup/unified", group):
			return group
		}
	}
	if state == "S" && (wchan == "get_signal" || wchan == "do_freezer_trap") || wchan == "__refrigerator" {
		return "?"
	}
	return ""
}

// says reports whether the file of the control group has the line.
func says(file, line, mount, group string) bool {
	text, err := os.ReadFile(filepath.Join(mount, group, file))
	return err == nil && strings.Contains("\n"+string(text), "\n"+line+"\n")
}
