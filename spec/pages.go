package spec

import "embed"

// Pages has the texts of this directory that messages and reports refer to.
//
//go:embed PROTOCOL.md PORTS.md HAZARDS.md
var Pages embed.FS
