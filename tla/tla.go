// Package tla holds the TLA+ control of the protocol: the modules, one
// configuration for each question put to TLC, and the manifest of what TLC
// must answer. README.md says how to read them; package tlc runs them.
package tla

import "embed"

// Files are the modules, the configurations and manifest.json. The runner
// takes them from here, so that it needs no checkout to run.
//
//go:embed *.tla *.cfg manifest.json
var Files embed.FS
