package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/browse"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/timeline"
)

// mostStates keeps a page small enough for a browser, unless --max-states says
// otherwise.
const mostStates = 500_000

// checkHTML refuses a page that cannot be written.
func (f flags) checkHTML(cfg model.Config, opt explore.Options) error {
	switch {
	case f.html == "":
		return nil
	case cfg.Procs > browse.MostProcs:
		return fmt.Errorf("--html with %d processes: give %d at most, which show all there is to see", cfg.Procs, browse.MostProcs)
	case opt.Symmetry:
		return errors.New("--html shows each process by itself: leave --symmetry out")
	}
	return nil
}

// writeHTML writes the page that --html asks for: the question with its result,
// and beside it its control, if it has one. Where the graph may have no end, the
// page has more rounds than the counterexample, but not all.
func (f flags) writeHTML(cmd *cobra.Command, cfg model.Config, opt explore.Options, r model.Result) error {
	if f.html == "" {
		return nil
	}
	if err := graphEnds(cmd.Context(), cfg, opt); err != nil {
		cfg = browse.Bounded(cfg, r.Trace)
		fmt.Fprintf(cmd.ErrOrStderr(), "check: the graph may have no end: %s shows %d rounds; --rounds asks for others\n", f.html, cfg.Rounds)
	}
	views := []browse.View{{Config: cfg, Result: r, Command: reproduce(cfg, opt)}}
	if control, ok := browse.Beside(cfg); ok {
		views = append(views, browse.View{Config: control, Command: reproduce(control, opt)})
	}
	if opt.MaxStates == 0 {
		opt.MaxStates = mostStates
	}
	for i := range views {
		v := &views[i]
		var err error
		if v.Graph, err = newGraph(cmd.Context(), v.Config, opt); err != nil {
			return notWritten(cmd, f.html, err)
		}
	}
	return cli.WriteFile(f.html, func(w io.Writer) error { return browse.Write(w, views...) })
}

// writeTimeline writes the page that --timeline asks for.
func (f flags) writeTimeline(cmd *cobra.Command, cfg model.Config, opt explore.Options, r model.Result) error {
	if f.timeline == "" {
		return nil
	}
	var list []timeline.Timeline
	if len(r.Trace) > 0 {
		t := timeline.Of(cfg, r)
		t.Command = reproduce(cfg, opt)
		list = append(list, t)
	}
	return timeline.WriteFile(f.timeline, cmd.ErrOrStderr(), "Counterexample", list...)
}
