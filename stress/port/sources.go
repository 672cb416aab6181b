//go:build linux

package port

import "embed"

// Sources holds the ports in other languages, which package registry compiles
// or installs: c/barrier.c, rust/barrier.rs and the folder python.
//
//go:embed c/barrier.c rust/barrier.rs python/*.py python/*.txt
var Sources embed.FS
