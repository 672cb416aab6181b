//go:build linux

package conformance

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// TestWithdrawal_AnswerThatNeverComes has a port that takes part in every step
// and keeps its last answer to itself. The neighbour lets it through. The test
// waits for no limit: it ends the time itself, once the answer was swallowed.
func TestWithdrawal_AnswerThatNeverComes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	right, err := registry.Command(t.Context(), "go")
	if err != nil {
		t.Fatal(err)
	}
	swallowed := filepath.Join(t.TempDir(), "swallowed")
	for _, c := range []struct{ name, last, want string }{
		{"says it", `echo returned`, ""},
		{"swallows it", `: >"` + swallowed + `"`, `"returned" did not come`},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := "exec:'" + self + "' " + strings.Join(right.Args[1:], " ") +
				` | while read -r line; do case $line in returned) ` + c.last + `;; *) echo "$line";; esac; done`
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for ctx.Err() == nil {
					if _, err := os.Stat(swallowed); !errors.Is(err, fs.ErrNotExist) {
						cancel()
					}
					runtime.Gosched()
				}
			}()
			_, err := withdrawal(ctx, Trial{Port: name}, port.Capabilities{Withdraw: true})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("withdrawal of a port that %s: %v, want an error with %q", c.name, err, c.want)
			}
		})
	}
}
