package tla_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/explore"
	"sharedbarrier/model/group"
	"sharedbarrier/tla/tlc"
)

// groupConfig returns the constants of Group.tla.
func groupConfig(cfg group.Config) string {
	var may []string
	for event, on := range map[string]bool{"GiveUp": cfg.GiveUps, "Join": cfg.Joins, "Reset": cfg.Resets, "Leave": cfg.Leaves} {
		if on {
			may = append(may, fmt.Sprintf("%q", event))
		}
	}
	return fmt.Sprintf("CONSTANTS N = %d M = %d Rounds = %d Deaths = %d May = {%s}\nCHECK_DEADLOCK FALSE\n",
		cfg.Members+cfg.Foreign, cfg.Members, cfg.Rounds, cfg.Deaths, strings.Join(may, ","))
}

// groups are compared as graphs, and refine SharedBarrier.
var groups = []group.Config{
	{Members: 1, Foreign: 1, Rounds: 2, Deaths: 1, Joins: true},
	{Members: 2, Rounds: 2, Deaths: 1},
	{Members: 2, Rounds: 1, Deaths: 1, Joins: true},
	{Members: 2, Rounds: 1, GiveUps: true},
	{Members: 2, Rounds: 1, Deaths: 1, Resets: true, Leaves: true},
	{Members: 2, Foreign: 1, Rounds: 1},
	{Members: 3, Rounds: 1},
}

const groupInvariants = "INVARIANTS TypeOK WordsInRange AllOrNone NilMeansCommitted NoEarlyExit LockExclusive EachDeathOnce Quiescent NoDeadlock\n"

// runGroup runs TLC on Group.tla or a module that extends it.
func runGroup(t *testing.T, module, config string, edit func(file, text string) string, args ...string) string {
	t.Helper()
	files := map[string]string{module + ".cfg": config}
	for _, name := range []string{"Barrier.tla", "SharedBarrier.tla", "Group.tla", "GroupSchedule.tla"} {
		files[name] = readFile(t, name)
		if edit != nil {
			files[name] = edit(name, files[name])
		}
	}
	return runTLC(t, module, files, args...)
}

// The state graph that TLC finds of Group.tla is that of the machine in Go: the
// same states, and the same edges under the same labels.
func TestConform_GroupGraph(t *testing.T) {
	full(t)
	for _, cfg := range groups {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			t.Parallel()
			dump := filepath.Join(t.TempDir(), "graph.dot")
			output := runGroup(t, "Group", groupConfig(cfg)+"SPECIFICATION LiveSpec\nPROPERTIES NoHang\n"+groupInvariants, nil, "-dump", "dot,actionlabels", dump)
			if !strings.Contains(output, "No error has been found") {
				t.Fatalf("TLC on Group:\n%s", output)
			}
			file, err := os.Open(dump)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			theirs, err := tlc.ReadDot(file)
			if err != nil {
				t.Fatal(err)
			}
			if difference := compareGroups(theirs, cfg); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// compareGroups returns a difference between TLC's graph and that of the
// machine; "" if there is none.
func compareGroups(theirs tlc.Dot, cfg group.Config) string {
	mine := explore.NewGraph(group.NewMachine(cfg))
	if len(mine.States) != len(theirs.States) {
		return fmt.Sprintf("TLC has %d states, the machine %d", len(theirs.States), len(mine.States))
	}
	place := map[string]int{} // of a state of the machine
	for i, s := range mine.States {
		place[fmt.Sprint(groupState(s.Snapshot(cfg)))] = i
	}
	paired := make([]int, len(theirs.States))
	for i, text := range theirs.States {
		vars, err := tlc.Variables(text)
		if err != nil {
			return err.Error()
		}
		k, ok := place[fmt.Sprint(vars)]
		if !ok {
			return fmt.Sprintf("only TLC has the state %s, which the machine would write as, for example, %v", text, groupState(mine.States[0].Snapshot(cfg)))
		}
		paired[i] = k
	}
	if paired[theirs.Initial] != 0 {
		return "another initial state"
	}
	edges := make([][]string, len(mine.States))
	for _, e := range theirs.Edges {
		edges[paired[e.From]] = append(edges[paired[e.From]], fmt.Sprint(e.Label, " ", paired[e.To]))
	}
	for i, list := range mine.Edges {
		var want []string
		for _, e := range list {
			label := mine.States[i].Label(cfg, e.Action)
			if int(e.Action.Thread) >= 2*cfg.Members {
				label = "ForeignStep"
			}
			want = append(want, fmt.Sprint(label, " ", e.To))
		}
		slices.Sort(want)
		slices.Sort(edges[i])
		if !reflect.DeepEqual(want, edges[i]) {
			return fmt.Sprintf("from %v: TLC has the edges %v, the machine %v", mine.States[i], edges[i], want)
		}
	}
	return ""
}

// groupState returns the state as the variables of Group.tla.
func groupState(s group.Snapshot) map[string]any {
	lock, members := s.Lock, len(s.Slots)
	switch {
	case lock >= 2*members:
		lock -= members
	case lock >= 0:
		lock = -2 - lock
	}
	record := func(fields ...any) map[any]any {
		r := map[any]any{}
		for i := 0; i < len(fields); i += 2 {
			r[fields[i]] = fields[i+1]
		}
		return r
	}
	slots, threads, pc, rounds := map[any]any{}, map[any]any{}, map[any]any{}, map[any]any{}
	for p, o := range s.Slots {
		slots[p] = record("owner", o.Owner, "round", o.Round, "arrival", o.Arrival, "broken", o.Broken)
		pc[p], rounds[p] = "Call", 0
	}
	for i, t := range s.Threads {
		threads[i] = record("role", t.Role, "at", t.At.String(), "round", t.Round, "mine", t.Mine, "ended", t.Ended, "asleep", t.Asleep, "final", t.Final)
	}
	for p, f := range s.Foreign {
		pc[members+p], rounds[members+p] = f.At.String(), f.Rounds
	}
	set := func(list []int) []any {
		all := []any{}
		for _, n := range list {
			all = append(all, n)
		}
		return all
	}
	j := s.Journal
	return map[string]any{
		"enter": int(s.Words.Enter), "exit": int(s.Words.Exit), "flag": int(s.Words.Flag), "lock": lock,
		"pc": pc, "rounds": rounds, "env": -1,
		"turn": s.Turn, "broken": s.Broken, "completed": s.Completed, "owed": s.Owed,
		"journal": record("phase", j.Phase, "taken", j.Taken, "round", j.Round, "enter", int(j.Words.Enter), "exit", int(j.Words.Exit), "flag", int(j.Words.Flag)),
		"slot":    slots, "thread": threads,
		"died": s.Died, "done": s.Done, "committed": set(s.Committed), "told": set(s.Told),
	}
}

const scheduleQuestion = " MayGiveUp <-[SharedBarrier] MembersMayGiveUp\nSPECIFICATION ScheduleSpec\nINVARIANTS Agrees Possible\nPROPERTIES RefinesSharedBarrier RefinesBarrier\n"

// The words and the lock of a group are a run of SharedBarrier, which refines
// Barrier.
func TestConform_GroupSchedule(t *testing.T) {
	full(t)
	for _, cfg := range groups {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			t.Parallel()
			config := strings.Replace(groupConfig(cfg), "\nCHECK", scheduleQuestion+"CHECK", 1)
			if output := runGroup(t, "GroupSchedule", config, nil); !strings.Contains(output, "No error has been found") {
				t.Errorf("TLC on GroupSchedule:\n%s", output)
			}
		})
	}
}

// A module with a mistake is refuted, as a group or as a run of SharedBarrier.
func TestHazard_GroupModules(t *testing.T) {
	full(t)
	deaths := group.Config{Members: 2, Rounds: 1, Deaths: 1}
	for name, test := range map[string]struct {
		cfg      group.Config
		old, new string
	}{
		"no UndoEnter":      {group.Config{Members: 1, Foreign: 1, Rounds: 2, Deaths: 1, Joins: true}, "enter' = journal.enter", "enter' = enter"},
		"no UndoFlag":       {deaths, "flag' = journal.flag", "flag' = flag"},
		"no Reopen":         {group.Config{Members: 2, Rounds: 1, Deaths: 2, Joins: true}, "journal' = [journal EXCEPT !.phase = 1]", "journal' = journal"},
		"settles at once":   {group.Config{Members: 1, Foreign: 1, Rounds: 2, Deaths: 1, Joins: true}, "exit \\in 0 .. ForeignParties /\\ exit + owed > ForeignParties", "exit \\in 0 .. ForeignParties"},
		"takes one too few": {group.Config{Members: 1, Foreign: 1, Rounds: 1}, "Cardinality(Here(r)) + enter = N", "Cardinality(Here(r)) + enter = N - 1"},
		"no flag down":      {deaths, "/\\ flag' = 0", "/\\ flag' = flag"},
		"wakes nobody":      {deaths, "ELSE IF u % 2 = 0 THEN [thread[u] EXCEPT !.asleep = FALSE] ELSE thread[u]]", "ELSE thread[u]]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := func(file, text string) string {
				if file != "Group.tla" {
					return text
				}
				if strings.Count(text, test.old) != 1 {
					t.Fatalf("Group.tla has %q %d times, want once", test.old, strings.Count(text, test.old))
				}
				return strings.Replace(text, test.old, test.new, 1)
			}
			config := strings.Replace(groupConfig(test.cfg), "\nCHECK", scheduleQuestion+groupInvariants+"CHECK", 1)
			if output := runGroup(t, "GroupSchedule", config, edit); !strings.Contains(output, "is violated") {
				t.Errorf("TLC finds nothing wrong with it:\n%s", output)
			}
		})
	}
}
