//go:build linux

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/trace"
)

// timelines returns what the workers of a run did: first before its end, if that
// is a failure, and then in the slowest rounds.
func timelines(rep run.Report) (list []timeline.Timeline) {
	if rep.Recording != nil {
		title, doc := titleOf(rep)
		list = append(list, drawn(rep, *rep.Recording, stateAt(rep), title, doc, wrongIn(rep)))
	}
	for i, slow := range rep.Slowest {
		title := "Slow round"
		if i == 0 {
			title = "The slowest round"
		}
		title = fmt.Sprintf("%s: %d, %.0f µs", title, slow.Round, slow.Latency)
		doc := fmt.Sprintf("Round %d took %.0f µs from the begin of its last worker to the return of its last worker.", slow.Round, slow.Latency)
		list = append(list, drawn(rep, slow.Recording, nil, title, doc, none))
	}
	return list
}

// titleOf says what is shown of the end of a run.
func titleOf(rep run.Report) (title, doc string) {
	switch {
	case rep.Early != nil:
		return "The early exit", sentence(rep.Early.String())
	case len(rep.Refuted) > 0:
		return "The failure of " + rep.Refuted[0].Property, sentence(rep.Refuted[0].String())
	case rep.Verdict == spec.Hang:
		return "The hang", sentence(rep.Hang.Why)
	}
	return "Where it stood", "The last steps before the run ended."
}

// stateAt returns what was seen of the workers when rep.Recording was made; nil:
// nothing. That of a failure was made before a hang that followed it.
func stateAt(rep run.Report) *run.Hang {
	if rep.Verdict == spec.Violated {
		return nil
	}
	return rep.Hang
}

// wrongIn returns which records show what has failed in the run.
func wrongIn(rep run.Report) func(trace.Record) bool {
	switch {
	case rep.Early != nil:
		return func(r trace.Record) bool {
			return r.Worker == rep.Early.Worker && r.Round == rep.Early.Round && r.Label == trace.Returned.String()
		}
	case len(rep.Refuted) > 0:
		f := rep.Refuted[0]
		return func(r trace.Record) bool { return r.Worker == f.Worker && r.Round == f.Round && !r.Taken }
	case rep.Verdict == spec.Hang:
		suspects := suspects(rep)
		return func(r trace.Record) bool {
			_, is := r.Step()
			return is && !r.Taken && (len(suspects) == 0 || slices.Contains(suspects, r.Worker))
		}
	}
	return none
}

func none(trace.Record) bool { return false }

// mostLanes is how many workers a timeline shows: those of a larger run that
// matter, and the first.
const mostLanes = 64

// drawn returns the timeline of a recording, after which the workers were in the
// states of h, unless that is nil. Its time is that since the first record.
func drawn(rep run.Report, rec trace.Recording, h *run.Hang, title, doc string, wrong func(trace.Record) bool) timeline.Timeline {
	t := timeline.Timeline{Title: title, Doc: doc + " A step lasts until the next one of its worker, with the pause before it.", Axis: timeline.Time}
	shown := lanesOf(rep)
	if len(shown) < rep.Procs {
		t.Doc += fmt.Sprintf(" %d of %d workers are shown.", len(shown), rep.Procs)
	}
	since, last := rec.Now, int64(0)
	of := map[int][]trace.Record{} // by worker
	for _, r := range rec.Records {
		since, last = min(since, r.At), max(last, r.At)
		of[r.Worker] = append(of[r.Worker], r)
	}
	if end := last + max(1000, (last-since)/4); end < rec.Now {
		t.Doc += fmt.Sprintf(" The timeline ends %.3g ms after the last record. Nothing else happened for another %.0f ms.", float64(end-last)/1e6, float64(rec.Now-end)/1e6)
		rec.Now = end
	}
	var lanes []lane
	for _, worker := range shown {
		l := lane{records: of[worker], since: since, now: rec.Now}
		if stateOf(h, worker) == isDead && len(l.records) > 0 {
			l.now = min(rec.Now, l.records[len(l.records)-1].Last)
		}
		lanes = append(lanes, l)
	}
	held := holdings(lanes)
	for i, worker := range shown {
		l := lanes[i]
		l.addCalls()
		for _, h := range held {
			if h.lane == i {
				l.add(timeline.Item{Kind: timeline.Lock}, h.from, h.to)
			}
		}
		l.addSteps(wrong)
		switch stateOf(h, worker) {
		case isDead:
			l.add(timeline.Item{Kind: timeline.Dead, Label: h.Workers[worker].State, Open: true}, l.now, rec.Now)
		case isStopped:
			l.add(timeline.Item{Kind: timeline.Fault, Label: "stopped"}, l.now, l.now)
		}
		t.Lanes = append(t.Lanes, timeline.Lane{Name: laneName(rep, worker), Items: l.items})
	}
	t.Words = changes(rec, since)
	return t
}

func laneName(rep run.Report, worker int) string {
	name := fmt.Sprintf("worker %d", worker)
	if rep.Ports != nil {
		kind, _, _ := strings.Cut(rep.Ports[worker], ":")
		name += " " + kind
	}
	return name
}

// lanesOf returns the workers that are shown, by number: first of all the
// suspects.
func lanesOf(rep run.Report) (list []int) {
	list = suspects(rep)
	for worker := range rep.Procs {
		if !slices.Contains(list, worker) {
			list = append(list, worker)
		}
	}
	list = list[:min(len(list), mostLanes)]
	slices.Sort(list)
	return list
}

// suspects returns the workers that have to do with a failure: of an early exit
// both, of a hang those that are behind, dead or stopped.
func suspects(rep run.Report) (list []int) {
	if rep.Early != nil {
		list = append(list, rep.Early.Worker, rep.Early.Party)
	}
	for _, f := range rep.Refuted {
		list = append(list, f.Worker)
	}
	if rep.Hang != nil {
		most := int64(0)
		for _, w := range rep.Hang.Workers {
			most = max(most, w.Begun)
		}
		for _, w := range rep.Hang.Workers {
			if w.Begun < most || stateOf(rep.Hang, w.Worker) != isRunning {
				list = append(list, w.Worker)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A holding is when a worker holds the lock.
type holding struct {
	lane     int
	number   int64 // of its first record
	from, to int64
	last     int64 // when its last record was made
}

// holdings returns when each of the workers holds the lock, as far as the
// records tell: until the worker ends, or records the step after its release, or
// another one finds itself under the lock, by the order of the numbers.
func holdings(lanes []lane) (list []holding) {
	for number, l := range lanes {
		records := l.records
		for i, r := range records {
			if r.Words == nil {
				continue
			}
			if i == 0 || records[i-1].Words == nil || releases(records[i-1]) {
				list = append(list, holding{lane: number, number: r.Number, from: r.At})
			}
			h := &list[len(list)-1]
			h.last, h.to = r.Last, until(records, i, l.now)
		}
	}
	slices.SortFunc(list, func(a, b holding) int { return cmp.Compare(a.number, b.number) })
	for i := range list[:max(0, len(list)-1)] {
		h := &list[i]
		h.to = max(h.last, min(h.to, list[i+1].from))
	}
	return list
}

func releases(r trace.Record) bool {
	s, is := r.Step()
	return is && s.Lock() == spec.Release
}

// until returns when the worker has recorded what follows the record; now:
// nothing does.
func until(records []trace.Record, i int, now int64) int64 {
	if i+1 < len(records) {
		return records[i+1].At
	}
	return now
}

// mostChanges is how many changes of the words a timeline shows: the last ones.
const mostChanges = 4096

// changes returns the words from each record on that found other ones.
func changes(rec trace.Recording, since int64) (list []timeline.Change) {
	for _, r := range rec.Records {
		if r.Words == nil || len(list) > 0 && list[len(list)-1].Words == *r.Words {
			continue
		}
		at := r.At - since
		if len(list) > 0 {
			at = max(at, list[len(list)-1].At)
		}
		list = append(list, timeline.Change{At: at, Words: *r.Words})
	}
	return list[max(0, len(list)-mostChanges):]
}

// lane makes the items of one worker.
type lane struct {
	records    []trace.Record
	since, now int64
	items      []timeline.Item
}

func (l *lane) add(item timeline.Item, from, to int64) {
	item.From, item.To = from-l.since, to-l.since
	l.items = append(l.items, item)
}

// addCalls adds the calls, of which the first may have begun earlier.
func (l *lane) addCalls() {
	begun := int64(-1)
	for i, r := range l.records {
		if begun < 0 {
			begun = r.At
		}
		_, isStep := r.Step()
		if last := i+1 == len(l.records); !isStep || last {
			end := r.At
			if isStep {
				end = l.now
			}
			l.add(timeline.Item{Kind: timeline.Call, Note: fmt.Sprintf("Round %d", r.Round), Open: isStep}, begun, end)
			begun = -1
		}
	}
}

// addSteps adds the steps, what they wait for, and the ends of the calls.
func (l *lane) addSteps(wrong func(trace.Record) bool) {
	for i, r := range l.records {
		item := timeline.Item{Kind: timeline.Step, Label: r.Label, Note: fmt.Sprintf("Round %d", r.Round), Wrong: wrong(r)}
		_, isStep := r.Step()
		end := until(l.records, i, l.now)
		switch {
		case !isStep:
			l.add(item, r.At, r.At)
		case r.Attempts > 1:
			wait := item
			wait.Kind, wait.Note, wait.Open = timeline.Wait, fmt.Sprintf("%s, %d attempts or more", item.Note, r.Attempts), !r.Taken
			l.add(wait, r.At, end)
			if r.Taken {
				l.add(item, end, end)
			}
		case !r.Taken:
			item.Note += ", about to be taken: the last record of this worker"
			l.add(item, r.At, r.At)
		default:
			l.add(item, r.At, end)
		}
	}
}

// The states of a worker in the end.
type state uint8

const (
	isRunning state = iota
	isStopped
	isDead
)

func stateOf(h *run.Hang, worker int) state {
	if h == nil || worker >= len(h.Workers) {
		return isRunning
	}
	switch h.Workers[worker].State {
	case "running", "unknown", "exit status 0":
		return isRunning
	case "stopped":
		return isStopped
	}
	return isDead
}
