package tlc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"sharedbarrier/model/cli/toolcache"
)

// ErrNoJava says that there is no Java that works, or that it is too old.
const ErrNoJava = toolcache.Missing("no Java 11 or newer; install a JRE (Debian: apt-get install default-jre-headless)")

// oldestJava is the first version that TLC 2.18 runs on.
const oldestJava = 11

var javaVersion = regexp.MustCompile(`version "(\d+)(?:\.(\d+))?`)

// findJava returns the path of a Java of version 11 or newer: that of
// JAVA_HOME if it is set, else that of the PATH.
func findJava(ctx context.Context) (string, error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, output, err := toolcache.Ask(ctx, ErrNoJava, name, "-version")
	if err != nil {
		return "", err
	}
	if major := majorVersion(output); major < oldestJava {
		return "", fmt.Errorf("%w (%s is version %d: %s)", ErrNoJava, path, major, toolcache.LastLine([]byte(output)))
	}
	return path, nil
}

// majorVersion reads what java -version prints: 17 from "17.0.15", and 8 from
// "1.8.0_402", as Java was numbered up to 8. It returns 0 for anything else.
func majorVersion(output string) int {
	match := javaVersion.FindStringSubmatch(output)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(match[1])
	if major == 1 {
		major, _ = strconv.Atoi(match[2])
	}
	return major
}
