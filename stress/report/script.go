//go:build linux

package report

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"sharedbarrier/model/cli"
)

// script is repro.sh. It builds the program, for go run turns each exit code
// other than 0 into 1.
var script = template.Must(template.New(scriptFile).Parse(`#!/bin/sh
# Does the same again as the run that has made this file:
#
#	{{.Command}}
#
# Usage: repro.sh [REPOSITORY]. Without it, the script looks for the repository
# around the working directory and itself, and where it was. The exit code is
# that of the run.
set -eu

root() {
	dir=$(cd "$1" 2>/dev/null && pwd) || return 1
	while ! grep -qsx 'module sharedbarrier' "$dir/go.mod"; do
		[ "$dir" != / ] || return 1
		dir=$(dirname "$dir")
	done
	printf '%s\n' "$dir"
}

find_root() {
	if [ $# -gt 0 ]; then
		root "$1"
	else
		root . || root "$(dirname "$0")" || root {{.Root}}
	fi
}

repository=$(find_root "$@") || {
	echo "$0: the repository is not here; give its path: $0 REPOSITORY" >&2
	exit 2
}
command -v go >/dev/null || {
	echo "$0: there is no go on PATH; install Go" >&2
	exit 2
}
cd "$repository"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap : INT HUP # the run gets them too, and says how it ends
go build -o "$work/stress" ./stress
"$work/stress" {{.Arguments}}
`))

// writeScript writes a script that repeats the command, "go run ./stress" with
// arguments for a shell.
func writeScript(out io.Writer, command string) error {
	root, err := Repository()
	if err != nil {
		root = "."
	}
	return script.Execute(out, struct{ Command, Root, Arguments string }{
		Command: command, Root: cli.Quoted(root), Arguments: strings.TrimPrefix(command, "go run ./stress "),
	})
}

// Repository returns the folder of the repository that the working directory is
// in. It fails with fs.ErrNotExist if that is in none.
func Repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		text, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		if strings.HasPrefix(string(text), "module sharedbarrier\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// AtRoot returns the name of a port that stands in the root of the repository
// for the port that name stands for here: a COMMAND first changes to this
// working directory, unless that is the root.
func AtRoot(name string) string {
	command, is := strings.CutPrefix(name, "exec:")
	here, err := os.Getwd()
	if root, outside := Repository(); !is || err != nil || outside == nil && here == root {
		return name
	}
	return "exec:cd " + cli.Quoted(here) + " || exit; " + command
}
