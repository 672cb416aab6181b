// Package spec is the vocabulary of the shared barrier: the words in the
// segment, the atomic steps, the events of the environment, the properties,
// the scenarios and the verdicts, as constants and tables.
//
// It holds names and no behaviour. The model, the implementation, the TLA+
// spec and the stress oracle are independent tellings of one protocol and share
// nothing but what stands here; that is what makes their agreement evidence.
//
// PROTOCOL.md beside this file is the normative text. Its tables are printed
// from the tables of this package (go test ./spec -update) and a test fails
// when they differ.
package spec
