//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/trace"
)

// addTrace adds --trace, which goes into c.
func addTrace(cmd *cobra.Command, c *run.Config) {
	cmd.Flags().StringVar(&c.Trace, "trace", "", "record each step of each process in `FILE`, which model/validate checks (spec/TRACES.md)")
	cmd.MarkFlagsMutuallyExclusive("scenario", "trace")
}

// checkTrace refuses a path that cannot have the trace of a run, before the run
// and not after it. A file that is there is replaced only if it is a trace.
func checkTrace(path string) error {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return errors.New("the name of the file is empty")
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(path))
		return err
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory; name a file", path)
	case !info.Mode().IsRegular() || info.Size() == 0:
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var head trace.Head
	if json.NewDecoder(bufio.NewReader(file)).Decode(&head) != nil || head.Trace == 0 {
		return fmt.Errorf("%s is there and is no trace, so it is not replaced; name another file", path)
	}
	return nil
}

// newWriting draws a progress bar while the trace is written, once first has
// removed the one of the run. It returns a Config.Writing, and a function that
// removes the bar.
func newWriting(first func()) (writing func(done, all int64), finish func()) {
	var bar *pb.ProgressBar
	writing = func(done, all int64) {
		if bar == nil {
			first()
			bar = cli.Bar(`writing the trace {{bar . }} {{percent . }} {{rtime . "%s left" "" "? left"}}`, all)
		}
		bar.SetCurrent(done)
	}
	return writing, func() {
		if bar != nil {
			bar.Set(pb.CleanOnFinish, true).Finish()
		}
	}
}
