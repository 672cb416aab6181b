package tlc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const jarText = "as if it were a jar"

// fake is a release that is served from this machine.
func fake(t *testing.T, serve http.HandlerFunc) release {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	sum := sha256.Sum256([]byte(jarText))
	return release{
		file:   "fake.jar",
		sha256: hex.EncodeToString(sum[:]),
		fetch: func(ctx context.Context, _ release, dir string) (string, error) {
			return download(ctx, server.URL, dir)
		},
	}
}

func serveJar(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(jarText)) }

func TestFind_Downloads(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	path, err := find(context.Background(), cache, []release{fake(t, serveJar)}, func(string) {})
	if want := filepath.Join(cache, "fake.jar"); err != nil || path != want {
		t.Fatalf("find = %q, %v; want %q", path, err, want)
	}
	onlyFile(t, cache, "fake.jar")
}

func TestFind_PrefersTheCache(t *testing.T) {
	cache := t.TempDir()
	if err := os.WriteFile(filepath.Join(cache, "fake.jar"), []byte(jarText), 0o644); err != nil {
		t.Fatal(err)
	}
	r := fake(t, func(http.ResponseWriter, *http.Request) { t.Error("it was fetched") })
	if path, err := find(context.Background(), cache, []release{r}, func(string) {}); err != nil {
		t.Fatalf("find = %q, %v; want the cached file", path, err)
	}
}

// What is in the cache but is not the jar is fetched again.
func TestFind_MendsTheCache(t *testing.T) {
	cache := t.TempDir()
	path := filepath.Join(cache, "fake.jar")
	if err := os.WriteFile(path, []byte("half a jar"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := find(context.Background(), cache, []release{fake(t, serveJar)}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != jarText {
		t.Errorf("the cache holds %q, want %q", text, jarText)
	}
}

// The next way is tried when one fails, and when all do the error says what to
// do, and nothing is left behind.
func TestFind_Fails(t *testing.T) {
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		want  error
		says  string
	}{
		"not found":      {http.NotFound, ErrNoTLC, "404"},
		"wrong checksum": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("another jar")) }, ErrChecksum, "SHA-256"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			w.Write([]byte(jarText))
		}, ErrNoTLC, "EOF"},
		"cut short without a word": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(jarText[:9])) }, ErrChecksum, "SHA-256"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			bad := fake(t, test.serve)
			_, err := find(context.Background(), cache, []release{bad}, func(string) {})
			if !errors.Is(err, ErrNoTLC) || !errors.Is(err, test.want) {
				t.Fatalf("find: %v; want %v", err, test.want)
			}
			for _, says := range []string{test.says, JarVariable} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("find: %v; want it to say %q", err, says)
				}
			}
			onlyFile(t, cache, "")
			good := fake(t, serveJar)
			good.file = "second.jar"
			if path, err := find(context.Background(), cache, []release{bad, good}, func(string) {}); err != nil || filepath.Base(path) != "second.jar" {
				t.Errorf("find with a second release = %q, %v; want second.jar", path, err)
			}
		})
	}
}

// Whether mvn is missing or fails makes a difference to what there is to do.
func TestFind_Maven(t *testing.T) {
	maven := release{file: "fake.jar", fetch: fetchWithMaven}
	cache := t.TempDir()
	t.Setenv("PATH", t.TempDir())
	if _, err := find(context.Background(), cache, []release{maven}, func(string) {}); !errors.Is(err, ErrNoTLC) || !strings.Contains(err.Error(), "install Maven") {
		t.Errorf("find without mvn: %v; want that it be installed", err)
	}
	onlyFile(t, cache, "")

	mvn := filepath.Join(os.Getenv("PATH"), "mvn")
	if err := os.WriteFile(mvn, []byte("#!/bin/sh\necho no network\necho at all >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(cache, "mvn.log")
	_, err := find(context.Background(), cache, []release{maven}, func(string) {})
	if !errors.Is(err, ErrNoTLC) || strings.Contains(err.Error(), "install") || !strings.Contains(err.Error(), log) {
		t.Errorf("find with an mvn that fails: %v; want %s named, and nothing installed", err, log)
	}
	if text, _ := os.ReadFile(log); string(text) != "no network\nat all\n" {
		t.Errorf("mvn.log holds %q, want what mvn said", text)
	}
	onlyFile(t, cache, "mvn.log")
}

func TestFind_JarVariable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.jar")
	if err := os.WriteFile(path, []byte("no jar"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", fakeJava(t, `openjdk version "11.0.2" 2019-01-15`))
	t.Setenv(JarVariable, path)
	if _, err := Find(context.Background(), nil); !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), path) {
		t.Errorf("Find with a jar of unknown checksum: %v; want ErrChecksum that names it", err)
	}
	t.Setenv(JarVariable, path+".missing")
	if _, err := Find(context.Background(), nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), JarVariable) {
		t.Errorf("Find with a missing jar: %v; want ErrNotExist that names the variable", err)
	}
}

func TestFind_Java(t *testing.T) {
	t.Setenv("JAVA_HOME", fakeJava(t, `java version "1.8.0_402"`))
	if _, err := Find(context.Background(), nil); !errors.Is(err, ErrNoJava) || !strings.Contains(err.Error(), "version 8") {
		t.Errorf("Find with Java 8: %v; want ErrNoJava that says so", err)
	}
	t.Setenv("JAVA_HOME", t.TempDir())
	if _, err := Find(context.Background(), nil); !errors.Is(err, ErrNoJava) || !strings.Contains(err.Error(), "install") {
		t.Errorf("Find without Java: %v; want ErrNoJava that says what to install", err)
	}
}

func TestMajorVersion(t *testing.T) {
	for output, want := range map[string]int{
		`openjdk version "17.0.15" 2025-04-15`: 17,
		`openjdk version "21" 2023-09-19`:      21,
		`java version "1.8.0_402"`:             8,
		`openjdk version "11.0.2" 2019-01-15`:  11,
		`no Java at all`:                       0,
	} {
		if got := majorVersion(output); got != want {
			t.Errorf("majorVersion(%q) = %d, want %d", output, got, want)
		}
	}
}

// fakeJava makes a Java home whose java only tells its version.
func fakeJava(t *testing.T, version string) (home string) {
	t.Helper()
	home = t.TempDir()
	script := "#!/bin/sh\necho '" + version + "' >&2\n"
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

func onlyFile(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}
