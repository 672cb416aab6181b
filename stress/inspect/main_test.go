//go:build linux

package inspect_test

import (
	"os"
	"testing"

	"sharedbarrier/stress/port/registry"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	os.Exit(m.Run())
}
