//go:build linux

package conformance

import (
	"strings"
	"testing"

	"sharedbarrier/stress/port"
)

// TestTalk_Misbehaving: what a port may do wrong in the conversation is said in
// words. The first does nothing wrong.
func TestTalk_Misbehaving(t *testing.T) {
	const obey = `o=; echo port 1; while read -r r rest; do case $o$r in open) o=1; echo opened;; 1close) `
	const right = `echo closed; exit;; *) echo error no;; esac; done`
	for _, c := range []struct{ name, port, want string }{
		{"as it should be", obey + right, ""},
		{"nonsense", `echo port 1; read -r r; echo what; read -r r`, `answers "call 1" with "what"`},
		{"no text", `echo port 1; read -r r; printf '\377\n'; read -r r`, "not UTF-8"},
		{"no end", `echo port 1; read -r r; yes | tr -d '\n'`, "longer than 4096 bytes"},
		{"dies", `echo port 1; read -r r; exit 3`, "it has ended"},
		{"takes everything", `echo port 1; while read -r r; do echo opened; done`, `with "opened", want "error"`},
		{"talks on", obey + `echo closed; echo bye; exit;; *) echo error no;; esac; done`, "closed, it goes on"},
		{"fails at last", obey + `echo closed; exit 4;; *) echo error no;; esac; done`, "exit status 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := conversation(t.Context(), Trial{Port: "exec:" + c.port}, port.Capabilities{})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
