// Package spec has the names of the shared barrier's protocol: the words of the
// segment, the atomic steps, the events of the environment, the properties, the
// scenarios and the verdicts. Each name comes with a line of documentation.
//
// The package has no behaviour. The model, the implementation, the TLA+ spec
// and the oracle of the stress test are written independently of each other and
// share these names only.
//
// PROTOCOL.md in this directory is the normative text. Its tables, and those of
// HAZARDS.md, are generated from this package (go test ./spec -update).
package spec
