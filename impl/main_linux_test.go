package impl

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes this program one of the roles of proc_linux_test.go, if it was
// started as one.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(runRole(role))
	}
	// Schedules of a few rounds on average. Flags that are given override both.
	flag.Set("rapid.steps", "250")
	flag.Set("rapid.checks", "50")
	os.Exit(m.Run())
}
