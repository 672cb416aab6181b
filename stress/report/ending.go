//go:build linux

package report

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/run"
)

// An ending is one way in which a run ends. Commands stand in backticks.
//
// In the cause and the next action, {seen} stands for what was seen of the run,
// {failure} for the error of the worker that failed, {cause} and {do} for the
// likeliest cause that package inspect has found, {missed} for what should have
// happened and did not, {misuse} for the faults that break what callers must
// guarantee, {what} for what came of them, {without} for the command without
// faults, {repeat} for the command that repeats the run, {longer} for one that
// gives it more time or more rounds, {smaller} for one with less load, {check}
// for one that checks the suspect alone, and {asked} for what the run was asked
// for.
type ending struct {
	name        string
	is          func(run.Report) bool
	cause, next string
}

// The endings, in the order in which they are tried: the first that fits a
// report is its own.
var endings = slices.Concat([]ending{
	{"completed", verdict(spec.Passed), "", ""},
	{underWay, func(r run.Report) bool { return r.End == underWay },
		"it is under way, or was killed before it could end", "wait for its end; if it is gone, repeat it: `{repeat}`; `go run ./stress clean` finds what it has left"},
	{"misuse", func(r run.Report) bool { return failed(r) && misuse(r) != nil },
		"the run breaks what callers must guarantee, by {misuse}; seen: {what}", "expect that of this misuse; to see the barrier without it: `{without}`"},
	{"early-exit", func(r run.Report) bool { return r.Verdict == spec.Violated && r.Violations > 0 },
		"{seen}", "find the step at fault: `{check}`; to see it again: `{repeat}`"},
	{"violated", verdict(spec.Violated), "{seen}", "find the step at fault: `{check}`; to see it again: `{repeat}`"},
}, refusals, []ending{
	{notRun, func(r run.Report) bool { return r.End == notRun }, "it did not take place: {failure}", "do what the error says; then `{repeat}`"},
	{"port-died", portFails(port.ErrDied), "a port died: {failure}", "read what it has written on its standard error, then check it alone: `{check}`"},
	{"port-nonsense", portFails(port.ErrNonsense), "a port gave an answer that the protocol of ports does not have: {failure}", "see spec/PORTS.md for the answer that it owes, then check it alone: `{check}`"},
	{"port-failed", portFails(port.ErrFailed), "a port refused: {failure}", "mend what its error says, then check it alone: `{check}`"},
	{"port-silent", portFails(port.ErrSilent), "a port gave no answer: {failure}", "see where it is (gdb -p, py-spy dump), and check it alone: `{check}`"},
	{"killed", dies("signal: killed"), "a worker was killed: by someone, or by the kernel for lack of memory: {seen}",
		"see whether memory was short: `dmesg`; then give fewer processes: `{smaller}`"},
	{"died", died, "a worker died: {seen}", "read what it has written on stderr; to see it again: `{repeat}`"},
	{"stopped", status(inspect.HeldUp), "{cause}", "{do}; nothing is wrong with the barrier yet: `{repeat}`"},
	{"starved", status(inspect.Starves), "{cause}", "{do}; or give it more time: `{longer}`; or fewer processes: `{smaller}`"},
	{"stuck-interrupted", func(r run.Report) bool { return r.Verdict == spec.Unfinished && r.Interrupted && r.Hang != nil },
		"a signal came, and the round under way did not end: {seen}", "let it run until --stall says whether it hangs: `{repeat}`"},
	{"interrupted", func(r run.Report) bool { return r.Verdict == spec.Unfinished && r.Interrupted },
		"a signal ended it before it had done what it was asked for: {asked}", "let it end by itself: `{repeat}`"},
	{"not-ready", neverBegan,
		"a worker did not begin: {seen}", "try the party alone: `{check}`; if the machine is slow, give it more time: `{longer}`"},
	{"no-state-fits", status(inspect.Foreign), "no party can have written these words: {cause}", "find what else writes the segment, or which port is no barrier: `{check}`"},
	{"no-misuse", unlikeThis, "it looks as if: {cause}; but the run keeps what callers must guarantee, so an implementation is at fault", "find the step at fault: `{check}`; to see it again: `{repeat}`"},
	{"hang", func(r run.Report) bool { return r.Verdict == spec.Hang && caused(r) }, "{cause}", "{do}; to see it again: `{repeat}`"},
	{"hang-unexplained", verdict(spec.Hang), "{seen}, and the model does not say why", "look at it while it hangs (go run ./stress inspect), with time for that: `{longer}`"},
	{"too-short", func(r run.Report) bool { return r.Verdict == spec.Unfinished && missed(r) != "" },
		"it was over before this had happened: {missed}", "let it run longer: `{longer}`"},
	{"held-up", func(r run.Report) bool { return r.Verdict == spec.Unfinished && r.Hang != nil }, "{seen}", "give it more time: `{longer}`"},
	{"unfinished", func(run.Report) bool { return true }, "a limit was reached before it had done what it was asked for: {asked}", "give it more time: `{longer}`"},
})

// The endings of a run that has not ended, and of one that did not begin.
const (
	underWay = "under-way"
	notRun   = "not-run"
)

// refusals has a row for each error of package impl: why a call of the Go
// barrier, or of a port that speaks of it, was refused.
var refusals = []ending{
	{"refused-corrupt", refuses(impl.ErrCorrupt), "a call found words out of range: {failure}",
		"the parties pass different counts, too many call, or one is no barrier: check the suspect alone: `{check}`"},
	{"refused-size", refuses(impl.ErrSize), "a call found a segment of the wrong size: {failure}", "find what changes its size (ftruncate): `{check}`"},
	{"refused-parties", refuses(impl.ErrParties), "a call had a bad party count: {failure}", "give a count from 1 to 2147483647; to see it again: `{repeat}`"},
	{"refused-name", refuses(impl.ErrName), "a segment has a bad name: {failure}", "give a name without a slash, of at most 255 bytes; to see it again: `{repeat}`"},
	{"refused-closed", refuses(impl.ErrClosed), "a call came after the handle was closed: {failure}", "open the barrier again before the call; to see it again: `{repeat}`"},
	{"refused-busy", refuses(impl.ErrBusy), "two calls ran on one handle: {failure}", "attach once for each party; to see it again: `{repeat}`"},
	{"refused-not-regular", refuses(impl.ErrNotRegular), "the segment or the lock file is no regular file: {failure}", "find what replaces it: `{check}`"},
	{"refused-untrusted", refuses(impl.ErrUntrusted), "third users can write the segment or the lock file: {failure}", "take that from them: `chmod go-w` on the file it names; then `{repeat}`"},
	{"no-memory", refuses(impl.ErrNoSpace), "/dev/shm has no room: {failure}", "make room: `df -h /dev/shm`, `go run ./stress clean`; then `{repeat}`"},
	{"no-flock", refuses(impl.ErrNoFlock), "the file system of the lock file has no flock(2): {failure}", "put it on a local one: `TMPDIR=/tmp {repeat}`"},
}

func verdict(v spec.Verdict) func(run.Report) bool {
	return func(r run.Report) bool { return r.Verdict == v }
}

func failed(r run.Report) bool { return r.Verdict == spec.Violated || r.Verdict == spec.Hang }

// misuse returns the scenario of spec/HAZARDS.md that a fault of the run makes,
// in which callers break what they must guarantee; nil: there is none, or it
// did not happen.
func misuse(r run.Report) *spec.Scenario {
	for _, injected := range r.Faults {
		f, err := fault.Parse(injected.Fault)
		if err != nil || injected.Happened == 0 {
			continue
		}
		if scenario, breaks := f.Breaks(); breaks {
			return &scenario
		}
	}
	return nil
}

// unlikeThis reports whether the likeliest cause of a hang is a misuse that only
// the callers could commit, who are the run itself: it did not (see misuse).
func unlikeThis(r run.Report) bool {
	if r.Verdict != spec.Hang || !caused(r) || misuse(r) != nil {
		return false
	}
	s, err := spec.ParseScenario(r.Hang.Causes[0].Scenario)
	return err == nil && slices.Contains([]spec.Scenario{spec.LateConstruction, spec.Shrinking, spec.Growing, spec.Disagreeing, spec.Surplus, spec.AbandonWait}, s)
}

// misused names the fault and the scenario of misuse.
func misused(r run.Report) string {
	s := misuse(r)
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%s (spec/HAZARDS.md#%v)", faults(r), *s)
}

func status(s inspect.Status) func(run.Report) bool {
	return func(r run.Report) bool { return r.Hang != nil && r.Hang.Status == s && caused(r) && !died(r) }
}

func caused(r run.Report) bool { return r.Hang != nil && len(r.Hang.Causes) > 0 }

// refuses reports whether a call failed with the error of package impl. The
// error has come from another process, as text.
func refuses(err error) func(run.Report) bool {
	return func(r run.Report) bool { return strings.Contains(failure(r), err.Error()) }
}

// portFails reports whether a port failed in the way of package port.
func portFails(kind error) func(run.Report) bool {
	says := regexp.MustCompile(`^port .*: ` + regexp.QuoteMeta(kind.Error()) + `\b`)
	return func(r run.Report) bool { return says.MatchString(failure(r)) }
}

func dies(how string) func(run.Report) bool {
	return func(r run.Report) bool {
		return slices.ContainsFunc(dead(r), func(w run.Worker) bool { return strings.HasPrefix(w.State, how) })
	}
}

func died(r run.Report) bool { return len(dead(r)) > 0 }

// dead returns the workers whose end nobody asked for.
func dead(r run.Report) (list []run.Worker) {
	planned := func(f run.Injected) bool { return strings.HasPrefix(f.Fault, fault.Kill.String()) && f.Happened > 0 }
	if r.Hang == nil || r.Interrupted || slices.ContainsFunc(r.Faults, planned) {
		return nil
	}
	for _, w := range r.Hang.Workers {
		if !slices.Contains([]string{"running", "stopped", "unknown", "exit status 0"}, w.State) {
			list = append(list, w)
		}
	}
	return list
}

// neverBegan reports whether the run stands still before its first call.
func neverBegan(r run.Report) bool {
	return r.Hang != nil && !slices.ContainsFunc(r.Hang.Workers, func(w run.Worker) bool { return w.Begun > 0 })
}

// failure returns the error of the worker that failed, or that of a refused
// call, or that of a run that did not take place; empty: there is none.
func failure(r run.Report) string {
	if r.End == notRun {
		return r.Cause
	}
	if i := failedWorker(r); i >= 0 {
		return r.Hang.Workers[i].Failure
	}
	return strings.Join(slices.Sorted(maps.Keys(r.Ends.Refused)), "; ")
}

// failedWorker returns the number of the worker that failed; -1: none.
func failedWorker(r run.Report) int {
	if r.Hang == nil {
		return -1
	}
	return slices.IndexFunc(r.Hang.Workers, func(w run.Worker) bool { return w.Failure != "" })
}

// missed lists the faults that were planned and never happened.
func missed(r run.Report) string {
	var list []string
	for _, f := range r.Faults {
		if f.Happened == 0 && f.Planned > 0 {
			list = append(list, f.Fault)
		}
	}
	return strings.Join(list, ", ")
}

var faultFlag = regexp.MustCompile(` --fault ('[^']*'|\S+)`)

// Explain returns the report with its End, Cause and Next. The command repeats
// the run.
func Explain(rep run.Report, command string) run.Report {
	e := endings[slices.IndexFunc(endings, func(e ending) bool { return e.is(rep) })]
	words := strings.NewReplacer(
		"{seen}", seen(rep), "{failure}", failure(rep), "{missed}", missed(rep), "{cause}", first(rep).Why, "{do}", first(rep).Do,
		"{repeat}", command, "{misuse}", misused(rep), "{what}", what(rep), "{without}", faultFlag.ReplaceAllString(command, ""),
		"{longer}", command+more(rep), "{smaller}", command+less(rep), "{check}", check(rep), "{asked}", asked(rep),
	)
	rep.End, rep.Cause, rep.Next = e.name, words.Replace(e.cause), words.Replace(e.next)
	return rep
}

// seen says in a few words what was seen of the run.
func seen(r run.Report) string {
	switch {
	case r.Early != nil:
		return r.Early.String()
	case len(r.Refuted) > 0:
		return r.Refuted[0].String()
	case r.Violations > 0:
		return "an early exit, by a worker that ended before it could say more"
	case r.Hang != nil:
		return r.Hang.Why
	}
	return "nothing"
}

// what is what was seen, or its likeliest cause.
func what(r run.Report) string {
	if r.Early == nil && caused(r) {
		return first(r).Why
	}
	return seen(r)
}

// first returns the likeliest cause of a hang.
func first(r run.Report) (c inspect.Cause) {
	if caused(r) {
		c = r.Hang.Causes[0]
	}
	return c
}

// check returns the command that checks the likeliest suspect alone.
func check(r run.Report) string {
	suspect := ""
	switch {
	case failedWorker(r) >= 0:
		suspect = r.Hang.Workers[failedWorker(r)].Port
	case died(r):
		suspect = dead(r)[0].Port
	case r.Early != nil && r.Ports != nil:
		suspect = r.Ports[r.Early.Worker]
	}
	if foreign := slices.IndexFunc(r.Ports, func(name string) bool { return name != "go" }); suspect == "" && foreign >= 0 {
		suspect = r.Ports[foreign]
	}
	if suspect == "" {
		return fmt.Sprintf("go run ./stress lockstep --tour --procs %d", min(max(r.Procs, 2), 3))
	}
	return "go run ./stress conformance --port " + cli.Quoted(AtRoot(suspect))
}

// more returns flags that give a run more time, or one that has made all its
// rounds more of them. The last of several equal flags counts.
func more(r run.Report) string {
	text := fmt.Sprintf(" --stall %v", 4*seconds(r.Asked.Stall))
	if made := r.Asked.Rounds > 0 && r.Rounds >= r.Asked.Rounds; made {
		text = fmt.Sprintf(" --rounds %d", 4*r.Asked.Rounds)
	}
	if r.Asked.For > 0 {
		text += fmt.Sprintf(" --for %v", 4*seconds(r.Asked.For))
	}
	return text
}

// less returns flags that make a run of package impl smaller; one of ports gets
// more time.
func less(r run.Report) string {
	if r.Ports != nil {
		return more(r)
	}
	return fmt.Sprintf(" --procs %d", max(1, r.Procs/2))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// asked says what the run was asked for, and how far it came.
func asked(r run.Report) string {
	if r.Asked.Rounds > 0 {
		return fmt.Sprintf("%d of %d rounds were made", r.Rounds, r.Asked.Rounds)
	}
	return fmt.Sprintf("to run for %v; %d rounds were made", seconds(r.Asked.For), r.Rounds)
}
