package tlc

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec/golden"
)

func TestGolden_Loopback(t *testing.T) {
	const missing = toolcache.Missing("no Java compiler; install a JDK (Debian: apt-get install default-jdk-headless)")
	javac, _, err := toolcache.Ask(t.Context(), missing, "javac", "-version")
	toolcache.Require(t, err)
	dir := t.TempDir()
	// Any Java that TLC runs on can run it. -g:none: no names of files and lines.
	cmd := exec.Command(javac, "--release", "11", "-g:none", "-d", dir, "Loopback.java")
	cmd.Env = javaEnvironment(os.Environ())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	class, err := os.ReadFile(filepath.Join(dir, "Loopback.class"))
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, "Loopback.class", string(class))
}

// TestUnit_Jar: the jar has the class, and can be read to its end.
func TestUnit_Jar(t *testing.T) {
	jar, err := jarOf("A.class", []byte("a class"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(r, "A.class")
	if string(text) != "a class" || err != nil || len(r.File) != 1 {
		t.Errorf("the jar: got %q, %v, %d files", text, err, len(r.File))
	}
}
