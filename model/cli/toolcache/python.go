package toolcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/model/cli/procgroup"
)

// NoPython says that no Python was found that can make virtual environments.
const NoPython = Missing("no Python 3.10 or newer with venv and pip; install one that is called python3 (Debian: apt-get install python3-venv)")

// NoIndex says that pip has not found the packages in any index.
const NoIndex = Missing("no Python packages; pip must reach a package index")

// unreached matches what pip prints if it cannot reach an index, or if no index
// has the package.
var unreached = regexp.MustCompile(`No matching distribution found|due to an OSError: HTTP`)

// InstallPython makes a virtual environment at the path and installs packages
// in it, from the network. The requirements, in the format of pip, must have
// their hashes, which pip checks. It is for Entry.Make. Of the user's settings
// for pip, in the environment and in files, only those count that say how to
// reach a package index.
//
// It fails with NoPython, with NoIndex, if pip fails in another way, or with the
// error of ctx.
func InstallPython(ctx context.Context, path, requirements string) error {
	list := path + ".txt"
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return err
	}
	venv := exec.Command("python3", "-I", "-c", makeVenv, path)
	venv.Env = KeepTemp(withoutPython(os.Environ()), path)
	if out, err := procgroup.CombinedOutput(ctx, venv); err != nil {
		return fmt.Errorf("%w (making a virtual environment: %w: %s)", NoPython, err, LastLine(out))
	}
	python := filepath.Join(path, "bin", "python3")
	settings := exec.Command(python, "-I", "-m", "pip", "config", "list")
	settings.Env = venv.Env
	said, unread := procgroup.CombinedOutput(ctx, settings)
	pip := exec.Command(python, "-I", "-m", "pip", "install", "--quiet",
		"--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", list)
	pip.Env = pipEnvironment(venv.Env, string(said))
	if out, err := procgroup.CombinedOutput(ctx, pip); err != nil {
		why := LastLine(out)
		if unread != nil {
			why += "; pip config list: " + LastLine(said)
		}
		err = fmt.Errorf("pip install: %w: %s", err, why)
		if unreached.Match(out) && ctx.Err() == nil {
			err = fmt.Errorf("%w (%w)", NoIndex, err)
		}
		return err
	}
	return writeContents(path)
}

// makeVenv makes the virtual environment that its argument names. Module venv
// refuses a name with a separator of paths, because the scripts that activate
// the environment put the name into PATH. They are not used here.
const makeVenv = `import os, sys, venv; os.pathsep = "\n"; venv.create(sys.argv[1], symlinks=os.name != "nt", with_pip=True)`

// ofTheIndex are the settings of pip that say how it reaches a package index.
var ofTheIndex = []string{"INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "CERT", "CLIENT_CERT",
	"PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "CACHE_DIR"}

// withoutPython returns the environment without the variables that tell Python
// where modules are, and pip where and what to install, such as PIP_TARGET.
func withoutPython(environment []string) (rest []string) {
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		setting, ofPip := strings.CutPrefix(name, "PIP_")
		if strings.HasPrefix(name, "PYTHON") || ofPip && setting != "CONFIG_FILE" && !slices.Contains(ofTheIndex, setting) {
			continue
		}
		rest = append(rest, variable)
	}
	return rest
}

// pipEnvironment returns the environment for a pip that reads no file of
// settings. Those that say how to reach an index, as pip config list has said
// them, are variables instead, unless there are such variables already.
func pipEnvironment(environment []string, settings string) []string {
	// pip config list says one setting a line: global.index-url='https://…'
	fromFiles := map[string]string{}
	for line := range strings.Lines(settings) {
		name, quoted, _ := strings.Cut(strings.TrimSpace(line), "=")
		section, name, _ := strings.Cut(name, ".")
		name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, err := pythonString(quoted)
		_, set := fromFiles[name]
		if err == nil && slices.Contains(ofTheIndex, name) && (section == "install" || section == "global" && !set) {
			fromFiles[name] = value
		}
	}
	var rest []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		delete(fromFiles, strings.TrimPrefix(name, "PIP_"))
		if name != "PIP_CONFIG_FILE" {
			rest = append(rest, variable)
		}
	}
	rest = append(rest, "PIP_CONFIG_FILE="+os.DevNull)
	for _, name := range ofTheIndex {
		if value, set := fromFiles[name]; set {
			rest = append(rest, "PIP_"+name+"="+value)
		}
	}
	return rest
}

// pythonString returns the string that Python writes as quoted.
func pythonString(quoted string) (text string, err error) {
	if len(quoted) < 2 || quoted[0] != '\'' && quoted[0] != '"' || quoted[len(quoted)-1] != quoted[0] {
		return "", strconv.ErrSyntax
	}
	for rest := quoted[1 : len(quoted)-1]; rest != ""; {
		if next, escaped := strings.CutPrefix(rest, `\'`); escaped { // also between double quotes
			text, rest = text+"'", next
			continue
		}
		r, multibyte, tail, err := strconv.UnquoteChar(rest, quoted[0])
		if err != nil {
			return "", err
		}
		if multibyte || r < 0x80 {
			text += string(r)
		} else {
			text += string(rune(byte(r)))
		}
		rest = tail
	}
	return text, nil
}

// contents is the file of a virtual environment that lists its files.
const contents = "contents.txt"

// aLink stands in contents for the size of a symbolic link.
const aLink = "link"

// writeContents writes the size and the name of each file of an environment.
func writeContents(path string) error {
	var list strings.Builder
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size := fmt.Sprint(info.Size())
		if !info.Mode().IsRegular() {
			size = aLink
		}
		name, err := filepath.Rel(path, file)
		fmt.Fprintf(&list, "%s %s\n", size, name)
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, contents), []byte(list.String()), 0o644)
}

// CheckPython returns an error if a file is missing or has another size in the
// environment that InstallPython has made at the path, or if a link leads
// nowhere, as after Python was removed. It is for Entry.Check.
func CheckPython(path string) error {
	list, err := os.ReadFile(filepath.Join(path, contents))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		size, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		info, err := os.Stat(filepath.Join(path, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s is missing", filepath.Join(path, name))
		case err != nil:
			return err
		case size != aLink && size != fmt.Sprint(info.Size()):
			return fmt.Errorf("%s has %d bytes, and had %s", filepath.Join(path, name), info.Size(), size)
		}
	}
	return nil
}
