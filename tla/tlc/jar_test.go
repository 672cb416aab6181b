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
	"sync"
	"testing"

	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
)

const jarText = "as if it were a jar"

// fake is a release that this machine serves.
func fake(t *testing.T, file string, serve http.HandlerFunc) release {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	sum := sha256.Sum256([]byte(jarText))
	return release{
		file:   file,
		sha256: hex.EncodeToString(sum[:]),
		fetch:  func(ctx context.Context, path string) error { return download(ctx, server.URL, path) },
	}
}

func serveJar(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(jarText)) }

// emptyCache gives the test a tool cache of its own.
func emptyCache(t *testing.T) (folder string) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	folder, err := toolcache.Folder()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// A jar is fetched once, and one in the cache is taken before any is fetched.
// What is there under its name and has another checksum is an error that says
// to remove it.
func TestUnit_FindDownloads(t *testing.T) {
	cache := emptyCache(t)
	want := filepath.Join(cache, "fake.jar")
	fetches := 0
	first := fake(t, "first.jar", func(http.ResponseWriter, *http.Request) { t.Error("the first release was fetched") })
	second := fake(t, "fake.jar", func(w http.ResponseWriter, r *http.Request) { fetches++; serveJar(w, r) })
	for _, known := range [][]release{{second}, {first, second}} {
		if path, err := find(context.Background(), known, nil); path != want || err != nil || fetches != 1 {
			t.Fatalf("find = %q, %v after %d fetches; want %q after 1", path, err, fetches, want)
		}
	}
	onlyFile(t, cache, "fake.jar")
	if err := os.WriteFile(want, []byte("half a jar"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := find(context.Background(), []release{second}, nil); !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), "remove "+want) {
		t.Errorf("find with another file in the cache: %v; want ErrChecksum, and what to remove", err)
	}
}

// If one release cannot be fetched the next is tried. If none can, the error
// says what to do, and nothing is left behind.
func TestUnit_FindFails(t *testing.T) {
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		want  error
		text  string
	}{
		"not found":      {http.NotFound, ErrNoTLC, "404"},
		"wrong checksum": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("another jar")) }, ErrChecksum, "SHA-256"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			w.Write([]byte(jarText))
		}, ErrNoTLC, "EOF"},
		"truncated without an error": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(jarText[:9])) }, ErrChecksum, "SHA-256"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := emptyCache(t)
			bad := fake(t, "fake.jar", test.serve)
			_, err := find(context.Background(), []release{bad}, nil)
			if !errors.Is(err, ErrNoTLC) || !errors.Is(err, test.want) {
				t.Fatalf("find: %v; want %v", err, test.want)
			}
			for _, text := range []string{test.text, JarVariable} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("find: %v; want %q in it", err, text)
				}
			}
			onlyFile(t, cache, "")
			good := fake(t, "second.jar", serveJar)
			if path, err := find(context.Background(), []release{bad, good}, nil); err != nil || filepath.Base(path) != "second.jar" {
				t.Errorf("find with a second release = %q, %v; want second.jar", path, err)
			}
		})
	}
}

// An mvn that is missing, fails, or succeeds and copies nothing is no TLC, and
// the error has what it printed last, or its first error.
func TestUnit_FindWithMaven(t *testing.T) {
	cache := emptyCache(t)
	t.Setenv("PATH", toolcache.OnPath(t, t.TempDir()))
	mvn := filepath.Join(os.Getenv("PATH"), "mvn")
	for script, want := range map[string]string{"": "executable file not found", "echo no network; exit 1": "no network", "echo a licence": "a licence",
		`printf '\033[0m[ERROR] no plugin\n[ERROR] \n[ERROR] help\n\033[0m\n'; exit 1`: "1: no plugin)"} {
		if script != "" {
			clitest.Script(t, mvn, script)
		}
		_, err := find(context.Background(), []release{{file: "fake.jar", fetch: fetchWithMaven}}, nil)
		if !errors.Is(err, ErrNoTLC) || !strings.Contains(err.Error(), want) {
			t.Errorf("find with an mvn that does %q: %v; want ErrNoTLC and %q", script, err, want)
		}
		onlyFile(t, cache, "")
		os.Remove(mvn)
	}
}

// TestUnit_FindWithMavenAtOnce: two processes that fetch TLC at once have a
// repository each. The user's is read only.
func TestUnit_FindWithMavenAtOnce(t *testing.T) {
	cache := emptyCache(t)
	t.Setenv("HOME", t.TempDir())
	tools := toolcache.OnPath(t, t.TempDir())
	t.Setenv("PATH", tools+string(os.PathListSeparator)+os.Getenv("PATH"))
	// Each waits until both are there. mkdir fails if the folder is there.
	clitest.Script(t, filepath.Join(tools, "mvn"), `[ "$1" != --offline ] || exit 1
echo >>"`+cache+`.log"
until [ $(wc -l <"`+cache+`.log") = 2 ]; do sleep 0.01; done
case "$1" in -Dmaven.repo.local=*) mkdir "${1#*=}";; *) mkdir "$HOME/.m2";; esac || exit 1
for last; do :; done
printf '`+jarText+`' >"${last#*=}fake.jar"`)
	sum := sha256.Sum256([]byte(jarText))
	known := []release{{file: "fake.jar", sha256: hex.EncodeToString(sum[:]), fetch: fetchWithMaven}}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if path, err := find(context.Background(), known, nil); err != nil || path != filepath.Join(cache, "fake.jar") {
				t.Errorf("find, twice at once = %q, %v; want the jar", path, err)
			}
		})
	}
	both.Wait()
	onlyFile(t, cache, "fake.jar")
}

func TestUnit_FindByVariable(t *testing.T) {
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

// A Java that is missing, old, or prints something else is a missing tool.
func TestUnit_FindJava(t *testing.T) {
	for home, want := range map[string]string{
		fakeJava(t, `java version "1.8.0_402"`):     "version 8",
		fakeJava(t, "Accept the licence to go on."): "Accept the licence",
		t.TempDir(): "install",
	} {
		t.Setenv("JAVA_HOME", home)
		if _, err := Find(context.Background(), nil); !errors.Is(err, ErrNoJava) || !strings.Contains(err.Error(), want) {
			t.Errorf("Find with the Java of %s: %v; want ErrNoJava with %q", home, err, want)
		}
	}
}

func TestUnit_MajorVersion(t *testing.T) {
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

// fakeJava makes a Java home whose java prints the line only.
func fakeJava(t *testing.T, version string) (home string) {
	t.Helper()
	home = t.TempDir()
	clitest.Script(t, filepath.Join(home, "bin", "java"), "echo '"+version+"' >&2")
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
