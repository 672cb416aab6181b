//go:build linux

package matrix

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/report"
)

// A Keeper keeps the report of a command in a directory.
type Keeper struct {
	report Report
	dir    string // empty: the report is not kept
	made   bool   // the directory, by Open
}

// Open prepares the report of a command. It makes the directory, which must be
// new or empty. The caller must call Close.
func Open(dir, command string) (*Keeper, error) {
	k := &Keeper{report: Of(command), dir: dir}
	if dir == "" {
		return k, nil
	}
	var err error
	k.made, err = report.MakeDir(&k.dir)
	return k, err
}

// Add adds the results of conformance.Run with the options.
func (k *Keeper) Add(o conformance.Options, results []conformance.Result) { k.report.Add(o, results) }

// Close writes the files: matrix.html, report.json, badge.json and, of several
// ports, the badge of each. It replaces no file. Without a result it writes
// none, and removes the directory if Open has made it.
func (k *Keeper) Close() error {
	some := slices.ContainsFunc(k.report.Ports, func(r Row) bool { return len(r.Results) > 0 })
	switch {
	case k.dir == "":
		return nil
	case !some && k.made:
		return os.Remove(k.dir)
	case !some:
		return nil
	}
	for _, f := range k.report.files() {
		file, err := os.OpenFile(filepath.Join(k.dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		if err := errors.Join(f.write(file), file.Close()); err != nil {
			return fmt.Errorf("write %s: %w; make room there, or name another directory", file.Name(), err)
		}
	}
	return nil
}

// A file is one of the directory.
type file struct {
	name  string
	write func(io.Writer) error
}

func (r Report) files() []file {
	list := []file{{"report.json", r.JSON}, {"matrix.html", r.Page}, {"badge.json", r.Badge().JSON}}
	if len(r.Ports) < 2 {
		return list
	}
	used := map[string]bool{}
	for _, row := range r.Ports {
		name := "badge-" + strange.ReplaceAllString(row.Port, "-")
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("badge-%s-%d", strange.ReplaceAllString(row.Port, "-"), n)
		}
		used[name] = true
		list = append(list, file{name + ".json", row.Badge().JSON})
	}
	return list
}

// strange are characters that an address or a shell would need to quote.
var strange = regexp.MustCompile(`[^A-Za-z0-9@._-]+`)
