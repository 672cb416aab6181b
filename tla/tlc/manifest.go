package tlc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Class says how long a question takes, roughly, on two cores.
type Class string

// The classes. The tests run the short ones.
const (
	Short  Class = "short"  // seconds
	Medium Class = "medium" // up to two minutes
	Long   Class = "long"   // longer
)

// Classes lists every class, the shortest first.
var Classes = []Class{Short, Medium, Long}

// Limit is when a question of the class is given up: far more than it takes on
// a machine that works.
func (c Class) Limit() time.Duration {
	switch c {
	case Short:
		return 10 * time.Minute
	case Medium:
		return time.Hour
	default:
		return 3 * time.Hour
	}
}

// An Expected is the answer that TLC must give to one question. The figures
// are those of one worker; with more, Depth may differ, and if there is a
// counterexample so may all of them.
type Expected struct {
	Config    string       `json:"config"` // file name without .cfg
	Verdict   spec.Verdict `json:"verdict"`
	Property  string       `json:"property,omitempty"` // what is refuted
	Generated int64        `json:"generated"`
	Distinct  int64        `json:"distinct"`
	Depth     int          `json:"depth"`
	Class     Class        `json:"class"`
}

// A Manifest is every question with its answer.
type Manifest struct {
	Version int        `json:"version"`
	Configs []Expected `json:"configs"`
}

// ManifestVersion is the version of the manifest's JSON form.
const ManifestVersion = 1

const manifestFile = "manifest.json"

// ReadManifest reads manifest.json from the files.
func ReadManifest(files fs.FS) (Manifest, error) {
	text, err := fs.ReadFile(files, manifestFile)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestFile, err)
	}
	if m.Version != ManifestVersion {
		return m, fmt.Errorf("%s: version %d, and this program reads %d", manifestFile, m.Version, ManifestVersion)
	}
	return m, nil
}

// Find returns the answer to the question of that name, or a zero one.
func (m Manifest) Find(config string) Expected {
	for _, e := range m.Configs {
		if e.Config == config {
			return e
		}
	}
	return Expected{}
}

// Differs says how the answer differs from the expected one; it returns "" if it
// does not. All figures are compared if the run was exact: by one worker, without
// TLC's server.
func (e Expected) Differs(got model.Result, exact bool) string {
	switch refuted := got.Property != ""; {
	case e.Verdict == "":
		return "the manifest has no answer"
	case got.Verdict != e.Verdict:
		return fmt.Sprintf("verdict %s, want %s", got.Verdict, e.Verdict)
	case got.Property != e.Property:
		return fmt.Sprintf("refutes %s, want %s", got.Property, e.Property)
	case !exact && refuted:
		return ""
	case got.Distinct != e.Distinct:
		return fmt.Sprintf("%d distinct states, want %d", got.Distinct, e.Distinct)
	case exact && got.Generated != e.Generated: // TLC's server counts some twice
		return fmt.Sprintf("%d states generated, want %d", got.Generated, e.Generated)
	case exact && got.Depth != e.Depth:
		return fmt.Sprintf("depth %d, want %d", got.Depth, e.Depth)
	}
	return ""
}
