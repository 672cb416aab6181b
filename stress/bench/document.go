//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aclements/go-moremath/stats"

	"sharedbarrier/stress/report"
)

// Version is the version of the JSON form of Document, which
// document.schema.json describes. It changes when a field goes or changes its
// meaning.
const Version = 1

// A Document is what was measured.
type Document struct {
	Version     int                `json:"version"`
	Command     string             `json:"command"` // measures again, from the root of the repository
	Started     time.Time          `json:"started"`
	Interrupted bool               `json:"interrupted"` // before all was measured
	Environment report.Environment `json:"environment"`
	For         float64            `json:"for"`    // seconds that a measurement takes at least
	Repeat      int                `json:"repeat"` // measurements of each contender in each setting
	Base        string             `json:"base"`   // what the ratios are to
	Contenders  []Contender        `json:"contenders"`
	Points      []Point            `json:"points"`
}

// A Contender is one that was asked for.
type Contender struct {
	Name    string `json:"name"`
	What    string `json:"what"`
	Version string `json:"version,omitempty"`
	Absent  string `json:"absent,omitempty"` // why it was not measured
}

// A Point is what was measured of a contender in a setting.
type Point struct {
	Setting
	Contender string   `json:"contender"`
	Samples   []Sample `json:"samples"` // by turns

	Latency  Spread  `json:"latency"`  // of the samples
	CPU      Spread  `json:"cpu"`      // of the samples
	Switches Spread  `json:"switches"` // voluntary and forced ones
	Ratio    *Ratios `json:"ratio,omitempty"`
}

// Ratios compare a contender with the base. Each is over the turns: what else
// the machine does slows both of a turn.
type Ratios struct {
	Latency Spread `json:"latency"`
	CPU     Spread `json:"cpu"`
}

// A Spread has the median of some values, and the quartiles as their spread.
type Spread struct {
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

// spread returns the spread of values, of which there must be one.
func spread(values []float64) Spread {
	s := stats.Sample{Xs: slices.Clone(values)}
	s.Sort()
	return Spread{s.Quantile(0.25), s.Quantile(0.5), s.Quantile(0.75)}
}

func newDocument(c Config) Document {
	return Document{
		Version: Version, Command: c.Command(), Started: time.Now().UTC().Truncate(time.Second), Environment: report.Here(),
		For: c.For.Seconds(), Repeat: c.Repeat, Base: Base, Contenders: []Contender{}, Points: []Point{},
	}
}

// add adds the points of one setting that have samples, and compares them with
// that of the base.
func (d *Document) add(points []Point) {
	base := slices.IndexFunc(points, func(p Point) bool { return p.Contender == d.Base && len(p.Samples) > 0 })
	for _, p := range points {
		if len(p.Samples) == 0 {
			continue
		}
		p.Latency = spread(values(p.Samples, Sample.latency))
		p.CPU = spread(values(p.Samples, Sample.cpu))
		p.Switches = spread(values(p.Samples, Sample.switches))
		if base >= 0 {
			p.Ratio = &Ratios{
				ratios(p.Samples, points[base].Samples, Sample.latency),
				ratios(p.Samples, points[base].Samples, Sample.cpu),
			}
		}
		d.Points = append(d.Points, p)
	}
}

func (s Sample) latency() float64  { return s.Latency }
func (s Sample) cpu() float64      { return s.CPU }
func (s Sample) switches() float64 { return s.Voluntary + s.Forced }

func values(samples []Sample, of func(Sample) float64) (list []float64) {
	for _, s := range samples {
		list = append(list, of(s))
	}
	return list
}

// ratios compares the samples of two contenders turn by turn. The spread is 0 if
// there is nothing to compare: a turn was interrupted, or the base had used less
// of a processor than the kernel counts.
func ratios(samples, base []Sample, of func(Sample) float64) Spread {
	var list []float64
	for turn := range min(len(samples), len(base)) {
		if b := of(base[turn]); b > 0 {
			list = append(list, of(samples[turn])/b)
		}
	}
	if len(list) == 0 {
		return Spread{}
	}
	return spread(list)
}

// JSON writes the document as one line.
func (d Document) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(d) }

// Text writes the document for people: a table for each place, and who took
// part.
func (d Document) Text(out io.Writer) error {
	var b strings.Builder
	for i, points := range d.places() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "On %s:\n", points[0].Where())
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range table(points) {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
		t.Flush()
	}
	if len(d.Points) > 0 {
		fmt.Fprintf(&b, "\nEach number is the median of %d. Ratios are to %s, turn by turn. CPU time and context switches are those of a party.\n\n", d.Repeat, d.Base)
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range d.Contenders {
		version := c.Version
		if c.Absent != "" {
			version = "absent: " + c.Absent
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.What, version)
	}
	e := d.Environment
	fmt.Fprintf(t, "machine\t%s %s %s, %d CPUs, load %.1f\t%s\n", e.OS, e.Kernel, e.Arch, e.CPUs, e.Load, e.CPU)
	t.Flush()
	_, err := io.WriteString(out, b.String())
	return err
}

// places returns the points of each place, for all numbers of parties.
func (d Document) places() (list [][]Point) {
	for _, p := range d.Points {
		if last := len(list) - 1; last >= 0 && list[last][0].Where() == p.Where() {
			list[last] = append(list[last], p)
		} else {
			list = append(list, []Point{p})
		}
	}
	return list
}

// table returns the cells of the table of one place.
func table(points []Point) [][]string {
	rows := [][]string{{"parties", "contender", "µs a round", "quartiles", "ratio", "CPU µs", "ratio", "switches"}}
	parties := 0
	for _, p := range points {
		n, latency, cpu := "", "", ""
		if p.Parties != parties {
			parties, n = p.Parties, fmt.Sprint(p.Parties)
		}
		if p.Ratio != nil {
			latency, cpu = times(p.Ratio.Latency), times(p.Ratio.CPU)
		}
		rows = append(rows, []string{
			n, p.Contender, number(p.Latency.Median), number(p.Latency.Low) + "–" + number(p.Latency.High), latency,
			number(p.CPU.Median), cpu, number(p.Switches.Median),
		})
	}
	return rows
}

// number prints a number with three digits.
func number(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// times prints a ratio.
func times(s Spread) string {
	if s.Median == 0 {
		return ""
	}
	return "×" + number(s.Median)
}
