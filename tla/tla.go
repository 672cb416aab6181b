// Package tla has the protocol in TLA+: the modules, and the table of the
// questions that TLC answers about them. README.md says how to read them.
// Package tlc runs them.
package tla

import "embed"

// Files are the modules and questions.json.
//
//go:embed *.tla questions.json
var Files embed.FS
