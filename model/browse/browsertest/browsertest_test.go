package browsertest

import (
	"strings"
	"testing"
)

// TestHazard_BadPages: each judge finds the fault of a page that is made for it,
// and nothing in a page without.
func TestHazard_BadPages(t *testing.T) {
	open := Start(t, 400, 300)
	for _, c := range []struct{ name, body, faults, nameless, faint string }{
		{"right", `<p>text</p><button>go</button><label>a <select><option>b</option></select></label><svg role="img" aria-label="a picture"></svg>`, "", "", ""},
		{"script error", `<script>throw new Error("oops")</script>`, "oops", "", ""},
		{"rejected promise", `<script>Promise.reject(new Error("oops"))</script>`, "oops", "", ""},
		{"network", `<script src="http://127.0.0.1:1/x.js"></script>`, "http://127.0.0.1:1/x.js", "", ""},
		{"button without a name", `<button></button>`, "", "button", ""},
		{"select without a label", `<select><option>a</option></select>`, "", "combobox", ""},
		{"picture without a name", `<svg role="img"></svg>`, "", "im", ""},
		{"faint text", `<p style="color:#999;background:#fff">faint</p>`, "", "", "faint"},
		{"faint text on a parent", `<div style="background:#222"><p style="color:#444">faint</p></div>`, "", "", "faint"},
		{"faint text in a picture", `<svg role="img" aria-label="a"><g class="node"><path fill="#222" d="M0,0H99V20H0z"/><text y="9" fill="#444">faint</text></g></svg>`, "", "", "faint"},
		{"faint text over a shape of another group", `<svg role="img" aria-label="a"><rect fill="#222" width="99" height="20"/><g><text y="9" fill="#444">faint</text></g></svg>`, "", "", "faint"},
		{"text over that shape", `<svg role="img" aria-label="a"><rect fill="#222" width="99" height="20"/><g><text y="9" fill="#fff">clear</text></g></svg>`, "", "", ""},
		{"text with an outline", `<svg role="img" aria-label="a"><rect fill="#222" width="99" height="20"/><g><text y="9" fill="#444" stroke="#fff" paint-order="stroke">clear</text></g></svg>`, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(File(t, "<!DOCTYPE html><title>x</title><body style='background:#fff;color:#000'>"+c.body))
			p.t = t
			found := func(what string, got []string, want string) {
				t.Helper()
				if text := strings.Join(got, "; "); (want == "") != (text == "") || !strings.Contains(text, want) {
					t.Errorf("%s: got %q, want %q", what, text, want)
				}
			}
			found("Nameless", p.Nameless(), c.nameless)
			found("Faint", p.Faint(), c.faint)
			found("Faults", p.Faults(), c.faults)
		})
	}
}
