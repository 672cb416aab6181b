//go:build linux

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of the picture.
const (
	panelWidth  = 8 * vg.Centimeter
	panelHeight = 10 * vg.Centimeter
	legendWidth = 4.5 * vg.Centimeter
	margin      = 3 * vg.Millimeter
)

// A style is how the line of a contender looks. Those that mix two barriers
// have dashes.
type style struct {
	color  color.RGBA
	dashes []vg.Length
	shape  draw.GlyphDrawer
}

var dashed = []vg.Length{vg.Points(5), vg.Points(3)}

// styles has for each contender a color that is dark enough on white.
var styles = map[string]style{
	"group":           {rgb(0x0072b2), nil, draw.CircleGlyph{}},
	"group+original":  {rgb(0x0072b2), dashed, draw.RingGlyph{}},
	"plain":           {rgb(0xd55e00), nil, draw.CircleGlyph{}},
	"plain+original":  {rgb(0xd55e00), dashed, draw.RingGlyph{}},
	"glibc":           {rgb(0x000000), nil, draw.SquareGlyph{}},
	"multiprocessing": {rgb(0x8a6a00), nil, draw.TriangleGlyph{}},
	"openmpi":         {rgb(0x00805a), nil, draw.PyramidGlyph{}},
	"original":        {rgb(0xa3367a), nil, draw.BoxGlyph{}},
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

// SVG draws the time of a round by the number of parties, a panel for each
// place. Both axes are logarithmic, and the panels have the same scale. The bars
// are the quartiles. The background is white on any page.
func (d Document) SVG(out io.Writer) error {
	places := d.places()
	if len(places) == 0 {
		return errors.New("nothing was measured")
	}
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	width := panelWidth*vg.Length(len(places)) + legendWidth
	canvas := vgsvg.New(width, panelHeight)
	whole := draw.New(canvas)
	whole.FillPolygon(color.White, []vg.Point{{}, {X: width}, {X: width, Y: panelHeight}, {Y: panelHeight}})
	for i, points := range places {
		p, err := d.panel(points)
		if err != nil {
			return err
		}
		left := panelWidth * vg.Length(i)
		p.Draw(draw.Crop(whole, left+margin, left+panelWidth-margin-width, margin, -margin))
	}
	legend := d.legend()
	legend.Draw(draw.Crop(whole, width-legendWidth+margin, 0, 0, -10*margin))
	var text bytes.Buffer
	if _, err := canvas.WriteTo(&text); err != nil {
		return err
	}
	// The font is that of the library. Elsewhere others have the same widths.
	_, err := out.Write(bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
	return err
}

// panel draws one place.
func (d Document) panel(points []Point) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.Title.Padding = points[0].Where(), vg.Points(4)
	p.X.Label.Text, p.Y.Label.Text = "parties", "time of a round"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = d.partyTicks(), timeTicks()
	p.Add(plotter.NewGrid())
	for _, c := range d.Contenders {
		curve, style := curve{}, styles[c.Name]
		for _, point := range points {
			if point.Contender == c.Name {
				curve = append(curve, point)
			}
		}
		if len(curve) == 0 {
			continue
		}
		bars, err := plotter.NewYErrorBars(curve)
		if err != nil {
			return nil, err
		}
		bars.Color = style.color
		line, dots, err := plotter.NewLinePoints(curve)
		if err != nil {
			return nil, err
		}
		line.LineStyle, dots.GlyphStyle = style.line(), style.glyph()
		p.Add(line, dots, bars)
	}
	for _, point := range d.Points {
		p.X.Min, p.X.Max = min(p.X.Min, float64(point.Parties)/1.2), max(p.X.Max, float64(point.Parties)*1.2)
		p.Y.Min, p.Y.Max = min(p.Y.Min, point.Latency.Low/1.5), max(p.Y.Max, point.Latency.High*1.5)
	}
	return p, nil
}

// legend names the lines of the contenders that were measured.
func (d Document) legend() plot.Legend {
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.ThumbnailWidth, legend.Padding = true, true, vg.Centimeter, vg.Points(4)
	for _, c := range d.Contenders {
		if c.Absent == "" {
			style := styles[c.Name]
			legend.Add(c.Name, &plotter.Line{LineStyle: style.line()}, &plotter.Scatter{GlyphStyle: style.glyph()})
		}
	}
	return legend
}

func (s style) line() draw.LineStyle {
	return draw.LineStyle{Color: s.color, Width: vg.Points(1.5), Dashes: s.dashes}
}

func (s style) glyph() draw.GlyphStyle {
	return draw.GlyphStyle{Color: s.color, Radius: vg.Points(2.5), Shape: s.shape}
}

// A curve is the points of one contender in one place, as the library reads
// them.
type curve []Point

func (c curve) Len() int                { return len(c) }
func (c curve) XY(i int) (x, y float64) { return float64(c[i].Parties), c[i].Latency.Median }
func (c curve) YError(i int) (low, high float64) {
	return c[i].Latency.Median - c[i].Latency.Low, c[i].Latency.High - c[i].Latency.Median
}

// partyTicks marks each number of parties.
func (d Document) partyTicks() (ticks plot.ConstantTicks) {
	marked := map[int]bool{}
	for _, p := range d.Points {
		if !marked[p.Parties] {
			marked[p.Parties] = true
			ticks = append(ticks, plot.Tick{Value: float64(p.Parties), Label: fmt.Sprint(p.Parties)})
		}
	}
	return ticks
}

// timeTicks marks microseconds: the powers of ten with a label, and nine steps
// between two of them without one.
func timeTicks() (ticks plot.ConstantTicks) {
	value := 0.1
	for _, label := range []string{"0.1 µs", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"} {
		ticks = append(ticks, plot.Tick{Value: value, Label: label})
		for step := 2.0; step < 10; step++ {
			ticks = append(ticks, plot.Tick{Value: step * value})
		}
		value *= 10
	}
	return ticks
}
