package spec

import "fmt"

// A Property is a statement that must hold of every behaviour of the barrier.
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

// A Kind says what can violate a property: a state (Safety) or an infinite
// behaviour (Liveness).
type Kind string

// The kinds of property.
const (
	Safety   Kind = "safety"
	Liveness Kind = "liveness"
)

var properties = [numProperties]struct {
	name string
	kind Kind
	doc  string
}{
	NoEarlyExit:   {"NoEarlyExit", Safety, "a process returns from its r-th call only after every party has begun its r-th call (reuse-safety)"},
	WordsInRange:  {"WordsInRange", Safety, "0 ≤ enter ≤ n, −1 ≤ exit ≤ n, flag ∈ {0, 1}"},
	LockExclusive: {"LockExclusive", Safety, "at most one process is between an acquire and its release"},
	NoHang:        {"NoHang", Liveness, "if every party keeps calling, and each process is weakly fair, every call returns"},
	Quiescent:     {"Quiescent", Safety, "when every process is outside, enter = 0 and exit ∈ {−1, n}"},
}

// AllProperties lists every property in the order of HAZARDS.md.
var AllProperties = from(NoEarlyExit, Quiescent)

// String returns the property's name.
func (p Property) String() string {
	if p >= numProperties {
		return fmt.Sprintf("Property(%d)", uint8(p))
	}
	return properties[p].name
}

// Kind returns Safety or Liveness.
func (p Property) Kind() Kind { return properties[p].kind }

// Doc states the property in one line.
func (p Property) Doc() string { return properties[p].doc }

// ParseProperty returns the property with the name.
func ParseProperty(name string) (Property, error) {
	return parse(name, "property", AllProperties, "HAZARDS.md")
}
