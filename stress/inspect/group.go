//go:build linux

package inspect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
)

// lookAtGroup reads the group of the barrier (spec/GROUP.md); nil: it has none.
// The limit says why an existing one could not be read.
func (t Target) lookAtGroup() (s *group.Status, limit string) {
	path := t.SegmentPath()
	if filepath.Dir(path)+"/" != shm { // package group knows names in /dev/shm alone
		if _, err := os.Stat(path + spec.GroupSuffix); err == nil {
			return nil, fmt.Sprintf("the group at %s: run inspect where that is in %s", path+spec.GroupSuffix, shm)
		}
		return nil, ""
	}
	status, err := group.Inspect(filepath.Base(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		return nil, fmt.Sprintf("the group of the barrier: %v", err)
	}
	return &status, ""
}

// ofGroup is the diagnosis of a barrier whose group has members, where nothing
// moved. For the protocol a member is at Call, however long it waits, so the
// model is not asked. It returns false if there is no live member.
func (v *seen) ofGroup() (d diagnosis, is bool) {
	if v.group == nil || !slices.ContainsFunc(v.group.Ranks, lives) {
		return d, false
	}
	d.status = Idle
	var waiting []int
	var missing, dead, stopped []string
	for _, r := range v.group.Ranks {
		switch {
		case r.Arrived && r.State != group.Stopped:
			waiting = append(waiting, r.Rank)
		case r.State == group.Dead:
			dead = append(dead, r.String())
		case r.State == group.Stopped:
			stopped = append(stopped, r.String())
			fallthrough
		default:
			missing = append(missing, r.String())
		}
	}
	if len(dead) > 0 {
		d.causes = append(d.causes, Cause{
			Why: "dead in the group: " + strings.Join(dead, ", ") + "; each call of a member fails until it is replaced",
			Do:  "find out why it died (its log, dmesg); then join with its rank, or have a member call Reset",
		})
	}
	if len(waiting) > 0 && len(missing) > 0 {
		d.status = Waiting
		who := fmt.Sprintf("rank %d waits", waiting[0])
		if len(waiting) > 1 {
			who = fmt.Sprintf("ranks %s wait", Ranges(waiting))
		}
		d.causes = append(d.causes, Cause{
			Why: fmt.Sprintf("%s in round %d of the group, which misses %s", who, v.group.Round, strings.Join(missing, ", ")),
			Do:  "look at those that are missing; a rank that never joined or has left may be that of a party outside the group",
		})
	}
	if len(stopped) > 0 {
		d.status = HeldUp
	}
	return d, true
}

func lives(r group.Rank) bool {
	return r.State != group.NeverJoined && r.State != group.Left && r.State != group.Dead
}

// writeGroup writes the group, with a line for each rank.
func (r *Report) writeGroup(out io.Writer) {
	g := r.Group
	arrived := 0
	for _, rank := range g.Ranks {
		if rank.Arrived {
			arrived++
		}
	}
	broken := ""
	if g.Broken {
		broken = "; broken: a member is dead"
	}
	fmt.Fprintf(out, "\nGroup: round %d, %d members have arrived, of %d parties%s.\n\n", g.Round, arrived, g.Parties, broken)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "rank\tstate\tlast call\tat\tsince\tpid\tlabel")
	for _, rank := range g.Ranks {
		if rank.State == group.NeverJoined {
			fmt.Fprintf(table, "%d\t%s\t-\t-\t-\t-\t-\n", rank.Rank, rank.State)
			continue
		}
		last, label := fmt.Sprintf("round %d", rank.Round), rank.Label
		if rank.Round == 0 {
			last = "-"
		}
		if label == "" {
			label = "-"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%d\t%s\n", rank.Rank, rank.State, last, rank.Step, rank.Since.Format(time.TimeOnly), rank.Pid, label)
	}
	table.Flush()
}
