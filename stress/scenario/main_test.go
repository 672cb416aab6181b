//go:build linux

package scenario

import (
	"os"
	"testing"

	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	run.ServeWorker()
	os.Exit(m.Run())
}
