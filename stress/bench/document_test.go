//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec/golden"
)

// TestUnit_Statistics: medians, quartiles and ratios of known values.
func TestUnit_Statistics(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{7}, Spread{7, 7, 7}},
		{[]float64{3, 1, 2}, Spread{7. / 6, 2, 17. / 6}},
		{[]float64{4, 1, 3, 2}, Spread{17. / 12, 2.5, 43. / 12}},
		{[]float64{5, 1, 4, 2, 3}, Spread{5. / 3, 3, 13. / 3}},
	} {
		if got := spread(c.values); !near(got, c.want) {
			t.Errorf("spread(%v): %v, want %v", c.values, got, c.want)
		}
	}
	// A machine that gets ten times slower in mid-run slows both.
	base := []Sample{{Latency: 1, CPU: 2}, {Latency: 10, CPU: 0}, {Latency: 100, CPU: 4}}
	other := []Sample{{Latency: 3, CPU: 2}, {Latency: 30, CPU: 9}, {Latency: 300, CPU: 2}}
	if got := ratios(other, base, Sample.latency); !near(got, Spread{3, 3, 3}) {
		t.Errorf("ratios turn by turn: %v, want 3", got)
	}
	if got := ratios(other, base, Sample.cpu); !near(got, spread([]float64{1, 0.5})) {
		t.Errorf("ratios where the base has used nothing once: %v, want those of the other turns", got)
	}
	if got := ratios(other[:0], base, Sample.latency); got != (Spread{}) {
		t.Errorf("ratios of nothing: %v", got)
	}
}

func near(a, b Spread) bool {
	return math.Abs(a.Low-b.Low)+math.Abs(a.Median-b.Median)+math.Abs(a.High-b.High) < 1e-9
}

// TestUnit_SampleOfABoard: what is computed from what the parties report.
func TestUnit_SampleOfABoard(t *testing.T) {
	b, err := makeBoard(filepath.Join(t.TempDir(), "board"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	set := func(party int, words ...int64) {
		for i, v := range words {
			b.of(party, wordStarted+i).Store(v)
		}
	}
	if _, err := b.sample(); !errors.Is(err, ErrBroken) {
		t.Errorf("of nothing: %v, want %v", err, ErrBroken)
	}
	b.word(wordStart).Store(5)
	b.word(wordLast).Store(15)
	set(0, 1_000_000, 3_000_000, 600_000, 30, 1)
	set(1, 1_500_000, 2_000_000, 200_000, 20, 4)
	got, err := b.sample()
	want := Sample{Rounds: 10, Latency: 150, CPU: 40, Voluntary: 2.5, Forced: 0.25}
	if err != nil || got != want {
		t.Errorf("sample: %+v, %v, want %+v", got, err, want)
	}
	set(1, 1_500_000, 0)
	if _, err := b.sample(); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "party 1") {
		t.Errorf("without the report of party 1: %v, want %v", err, ErrBroken)
	}
}

// sample returns a document with two places.
func sample() Document {
	c := Default()
	doc := newDocument(c)
	doc.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	doc.Environment.CPU = "a CPU"
	doc.Contenders = []Contender{{Name: "plain", What: "ours", Version: "1"}, {Name: "glibc", What: "theirs", Version: "2"}, {Name: "openmpi", What: "another", Absent: "no Open MPI"}}
	for place, s := range []Setting{{1, false, 2}, {1, false, 64}, {2, true, 2}} {
		point := func(name string, slower float64) Point {
			p := Point{Setting: s, Contender: name}
			for turn := range 3 {
				v := slower * float64(1+turn+place)
				p.Samples = append(p.Samples, Sample{Rounds: 10, Latency: v, CPU: v / 2, Voluntary: 1, Forced: 0.5})
			}
			return p
		}
		doc.add([]Point{point("plain", 300), point("glibc", 100)})
	}
	return doc
}

// TestGolden_Text is the text of a known document.
func TestGolden_Text(t *testing.T) {
	doc := sample()
	doc.Environment.Kernel, doc.Environment.OS, doc.Environment.Arch, doc.Environment.CPUs, doc.Environment.Load = "6.1", "linux", "amd64", 2, 0.25
	var text strings.Builder
	if err := doc.Text(&text); err != nil {
		t.Fatal(err)
	}
	golden.File(t, "testdata/document.txt", text.String())
}

// TestGolden_Contenders is the table of the contenders.
func TestGolden_Contenders(t *testing.T) {
	rows := [][]string{{"contender", "what it is"}}
	for _, c := range Contenders() {
		rows = append(rows, []string{"`" + c.Name + "`", c.What})
	}
	golden.Part(t, "../README.md", "table", "contenders", golden.Table(rows))
}

// TestHazard_Schema changes a document in each place: another kind of value, a
// field that is missing, one that is unknown. The schema refuses each change.
func TestHazard_Schema(t *testing.T) {
	schema := golden.Schema(t, "document.schema.json")
	var line strings.Builder
	if err := sample().JSON(&line); err != nil {
		t.Fatal(err)
	}
	root := golden.JSON(t, line.String())
	if err := schema.Validate(root); err != nil {
		t.Fatal(err)
	}
	changes := 0
	refuses := func(where string) {
		t.Helper()
		changes++
		if schema.Validate(root) == nil {
			t.Errorf("the schema accepts %s", where)
		}
	}
	var walk func(where string, value any, set func(any))
	walk = func(where string, value any, set func(any)) {
		if _, is := value.(string); is {
			set(false)
		} else {
			set("text")
		}
		refuses(where + " of another kind")
		set(value)
		if n, is := value.(json.Number); is {
			set(json.Number("-1"))
			refuses(where + " = -1, not " + n.String())
			set(value)
		}
		switch value := value.(type) {
		case map[string]any:
			value["unknown"] = 1
			refuses(where + " with an unknown field")
			delete(value, "unknown")
			for _, name := range slices.Sorted(maps.Keys(value)) {
				part := value[name]
				if !slices.Contains([]string{"version of contenders", "absent of contenders", "ratio of points", "cpu of environment"}, name+" of "+where) {
					delete(value, name)
					refuses(where + " without " + name)
					value[name] = part
				}
				walk(name, part, func(v any) { value[name] = v })
			}
		case []any:
			for i := range value[:min(1, len(value))] {
				walk(where, value[i], func(v any) { value[i] = v })
			}
		}
	}
	walk("document", root, func(v any) { root = v })
	if changes < 100 {
		t.Errorf("%d changes, want each field", changes)
	}
}

// TestUnit_Command: the command of a document has what differs from the usual.
func TestUnit_Command(t *testing.T) {
	c := Default()
	if got := c.Command(); got != "go run ./stress bench" {
		t.Errorf("the usual: %q", got)
	}
	c.Parties, c.Contenders, c.Busy, c.Repeat = []int{2, 8}, []string{"plain", "glibc"}, false, 9
	if got, want := c.Command(), "go run ./stress bench --contender=plain,glibc --parties=2,8 --beside-busy=false --repeat=9"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestUnit_SVG: the picture is XML with a panel for each place, and all of it
// can be read on a white ground of its own, whatever page it is on.
func TestUnit_SVG(t *testing.T) {
	var svg bytes.Buffer
	doc := sample()
	if err := doc.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	text := svg.String()
	for decoder := xml.NewDecoder(&svg); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{">1 processor<", ">2 processors, beside a busy loop<", ">plain<", ">glibc<", ">64<", ">100 µs<", "fill:#FFFFFF"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	if strings.Contains(text, ">openmpi<") {
		t.Errorf("the picture names a contender that is absent")
	}
	if err := (Document{}).SVG(io.Discard); err == nil {
		t.Errorf("a picture of nothing: want an error")
	}
	seen := map[string]string{}
	for _, name := range Names() {
		s, known := styles[name]
		if !known {
			t.Errorf("%s has no style", name)
			continue
		}
		if c := contrast(s.color.R, s.color.G, s.color.B); c < 3 {
			t.Errorf("%s has a contrast of %.1f to white, want 3 at least (WCAG 2.1, 1.4.11)", name, c)
		}
		look := fmt.Sprint(s)
		if other, taken := seen[look]; taken {
			t.Errorf("%s looks like %s", name, other)
		}
		seen[look] = name
	}
	if c := contrast(0xe6, 0x9f, 0x00); c >= 3 {
		t.Errorf("orange has a contrast of %.1f: the check cannot fail", c)
	}
}

// contrast returns the contrast of a color to white, as WCAG 2.1 defines it.
func contrast(r, g, b uint8) float64 {
	linear := func(v uint8) float64 {
		c := float64(v) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 1.05 / (0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b) + 0.05)
}
