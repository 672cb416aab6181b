package spec

import "fmt"

// A Property is what must be true of every behaviour of the barrier.
type Property uint8

// The properties.
const (
	NoEarlyExit Property = iota
	WordsInRange
	LockExclusive
	NoHang
	Quiescent

	numProperties
)

// Kind is safety or liveness.
type Kind string

// The kinds of property: safety is refuted by a state or a step, liveness only
// by a whole behaviour.
const (
	Safety   Kind = "safety"
	Liveness Kind = "liveness"
)

type propertyRow struct {
	name string
	kind Kind
	says string
}

var properties = [numProperties]propertyRow{
	NoEarlyExit:   {"NoEarlyExit", Safety, "a process returns from its r-th call only after every party has begun its r-th call (reuse-safety)"},
	WordsInRange:  {"WordsInRange", Safety, "0 ≤ enter ≤ n, −1 ≤ exit ≤ n, flag ∈ {0, 1}"},
	LockExclusive: {"LockExclusive", Safety, "at most one process is between an acquire and its release"},
	NoHang:        {"NoHang", Liveness, "if every party keeps calling, and each process is weakly fair, every call returns"},
	Quiescent:     {"Quiescent", Safety, "when every process is outside, enter = 0 and exit ∈ {−1, n}"},
}

// AllProperties lists every property in the order of PROTOCOL.md.
var AllProperties = []Property{NoEarlyExit, WordsInRange, LockExclusive, NoHang, Quiescent}

// String returns the property's name.
func (p Property) String() string {
	if p >= numProperties {
		return fmt.Sprintf("Property(%d)", uint8(p))
	}
	return properties[p].name
}

// Kind says whether the property is one of safety or of liveness.
func (p Property) Kind() Kind { return properties[p].kind }

// Doc returns the property in words.
func (p Property) Doc() string { return properties[p].says }

// ParseProperty returns the property that has the name.
func ParseProperty(name string) (Property, error) {
	for p, row := range properties {
		if row.name == name {
			return Property(p), nil
		}
	}
	return 0, fmt.Errorf("spec: no property is named %q; the names stand in spec/PROTOCOL.md", name)
}
