//go:build linux

// Package bench measures how fast barriers are: those of this project beside
// their peers, in turn, in one run.
//
// A contender is a barrier for processes. In a measurement of it, real
// processes, one a party, do nothing but wait at it, round after round, on
// chosen processors, with or without a busy process beside them. Each party
// checks after each return that another one has begun the round, so a contender
// that does not wait is found (ErrEarly).
//
// What is measured is one section of the run, from the end of one round to the
// end of another. Start-up and warm-up are before it. The time is that of the
// monotonic clock, and processor time and context switches are those of
// getrusage(2) for each party.
//
// The contenders take turns, in another order each time, so that other load
// hits them alike. A ratio to the base is the median of those of the turns.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/toolcache"
)

// A Config says what to measure.
type Config struct {
	Contenders []string      // their names; those whose tools are missing are left out
	Parties    []int         // how many, each at least 2
	Processors []int         // how many, each at least 1
	Busy       bool          // also beside a busy process, on the largest number of processors
	For        time.Duration // how long each measurement takes at least
	Repeat     int           // measurements of each contender in each setting

	// Stall is the longest time in which no party makes progress, once they
	// have started.
	Stall time.Duration

	// Progress, unless nil, is called before each measurement with the number of
	// those that are done and of all, and with what comes next.
	Progress func(done, all int, next string)
}

// Default returns the whole measurement.
func Default() Config {
	c := Config{
		Contenders: Names(), Parties: []int{2, 4, 8, 16, 32, 64}, Processors: []int{1, 2}, Busy: true,
		For: 200 * time.Millisecond, Repeat: 5, Stall: time.Minute,
	}
	if runtime.NumCPU() == 1 {
		c.Processors = c.Processors[:1]
	}
	return c
}

// Command returns the command that makes the measurements, from the root of the
// repository.
func (c Config) Command() string {
	command := "go run ./stress bench"
	list := func(numbers []int) string {
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ","), "[]")
	}
	full := Default()
	for _, f := range []struct{ name, value, usual string }{
		{"contender", strings.Join(c.Contenders, ","), strings.Join(full.Contenders, ",")},
		{"parties", list(c.Parties), list(full.Parties)},
		{"processors", list(c.Processors), list(full.Processors)},
		{"beside-busy", fmt.Sprint(c.Busy), fmt.Sprint(full.Busy)},
		{"for", c.For.String(), full.For.String()},
		{"repeat", fmt.Sprint(c.Repeat), fmt.Sprint(full.Repeat)},
	} {
		if f.value != f.usual {
			command += " --" + f.name + "=" + f.value
		}
	}
	return command
}

// A Setting is where contenders are compared.
type Setting struct {
	Processors int  `json:"processors"`
	Busy       bool `json:"busy"` // beside a busy process on the same processors
	Parties    int  `json:"parties"`
}

// Where describes the setting without its parties.
func (s Setting) Where() string {
	text := "1 processor"
	if s.Processors > 1 {
		text = fmt.Sprintf("%d processors", s.Processors)
	}
	if s.Busy {
		text += ", beside a busy loop"
	}
	return text
}

// Settings returns all settings, in their order.
func (c Config) Settings() (list []Setting) {
	add := func(processors int, busy bool) {
		for _, n := range c.Parties {
			list = append(list, Setting{processors, busy, n})
		}
	}
	for _, processors := range c.Processors {
		add(processors, false)
	}
	if c.Busy {
		add(slices.Max(c.Processors), true)
	}
	return list
}

// ErrNone means that the tools of all contenders are missing.
var ErrNone = errors.New("no contender can be measured")

// Run makes all measurements. It blocks until they are made and every process
// of them is gone. The program must call Serve, and run.ServeWorker, first in
// main.
//
// When ctx ends, Run returns what was measured until then, and the error of
// ctx. It fails with ErrNone, ErrProcessors, ErrEarly, ErrStalled or ErrBroken,
// or with the error of a tool. Run removes all files that it makes (package
// scratch), on error too.
func Run(ctx context.Context, c Config) (Document, error) {
	doc := newDocument(c)
	cpus, err := processors(slices.Max(c.Processors))
	if err != nil {
		return doc, err
	}
	present, err := doc.prepare(ctx, c.Contenders)
	if err != nil {
		return doc, err
	}
	settings := c.Settings()
	done, all := 0, len(settings)*c.Repeat*len(present)
	for _, s := range settings {
		points := make([]Point, len(present))
		for turn := range c.Repeat {
			for i := range present {
				at := (i + turn) % len(present)
				p := present[at]
				if c.Progress != nil {
					c.Progress(done, all, fmt.Sprintf("%s, %d parties, %s", p.Name, s.Parties, s.Where()))
				}
				sample, err := c.measure(ctx, p, s, cpus[:s.Processors])
				if err != nil {
					doc.add(points)
					return doc, err
				}
				points[at].Setting, points[at].Contender = s, p.Name
				points[at].Samples = append(points[at].Samples, sample)
				done++
			}
		}
		doc.add(points)
	}
	return doc, nil
}

// prepare compiles or installs the contenders and returns those that can be
// measured.
func (d *Document) prepare(ctx context.Context, names []string) (present []prepared, err error) {
	for _, name := range names {
		i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no contender %q; there are %v", name, Names())
		}
		entry := Contender{Name: name, What: contenders[i].what}
		p, err := contenders[i].prepare(ctx)
		var missing toolcache.Missing
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &missing):
			entry.Absent = missing.Error()
		case err != nil:
			return nil, fmt.Errorf("contender %s: %w", name, err)
		default:
			p.Name, entry.Version = name, p.version
			present = append(present, p)
		}
		d.Contenders = append(d.Contenders, entry)
	}
	if len(present) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNone, d.Contenders[0].Absent)
	}
	return present, nil
}

// ErrProcessors means that this process may use fewer processors than it is to
// measure on.
var ErrProcessors = errors.New("not enough processors")

// processors returns the first n processors that this process may use.
func processors(n int) (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("read the affinity mask: %w", err)
	}
	if set.Count() < n {
		return nil, fmt.Errorf("%w: this process may use %d of the %d; give fewer", ErrProcessors, set.Count(), n)
	}
	for cpu := 0; len(cpus) < n; cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
