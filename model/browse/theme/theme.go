// Package theme has what the pages of this project look like: colors in a light
// and a dark scheme, and the font.
//
// The colors have names: --page and --text, --soft (of boxes), --line, --faint
// (of text), --here and --on-here, --good, --bad, --held and --seen. Texts in
// them are readable on --page and --soft.
package theme

import _ "embed"

// CSS begins the style sheet of a page.
//
//go:embed theme.css
var CSS string
