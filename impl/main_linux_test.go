package impl

import (
	"os"
	"testing"
)

// TestMain makes this program one of the roles of proc_linux_test.go, if it was
// started as one.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(runRole(role))
	}
	os.Exit(m.Run())
}
