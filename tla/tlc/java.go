package tlc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/model/cli/toolcache"
)

// ErrNoJava says that there is no Java that works, or that it is too old.
const ErrNoJava = toolcache.Missing("no Java 11 or newer; install a JRE (Debian: apt-get install default-jre-headless)")

// oldestJava is the first version that TLC 2.18 runs on.
const oldestJava = 11

var javaVersion = regexp.MustCompile(`version "(\d+)(?:\.(\d+))?`)

// findJava returns the absolute path of a Java of version 11 or newer: that of
// JAVA_HOME if it is set, else that of the PATH.
func findJava(ctx context.Context) (string, error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, output, err := toolcache.Ask(ctx, ErrNoJava, name, "-XX:-UsePerfData", "-version") // which leaves a file in /tmp when it is killed
	if err != nil {
		if set := optionsOf(os.Environ()); len(set) > 0 && ctx.Err() == nil {
			err = fmt.Errorf("%w (Java also takes the options of %s)", err, strings.Join(set, " and "))
		}
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
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

// The variables from which Java takes options, in its order. The first two come
// before the options of the command line, and the last after them.
const (
	toolOptions     = "JAVA_TOOL_OPTIONS"
	launcherOptions = "JDK_JAVA_OPTIONS"
	lastOptions     = "_JAVA_OPTIONS"
)

// optionsOf lists the variables that give Java options, with their values.
func optionsOf(environment []string) (set []string) {
	for _, variable := range environment {
		switch name, value, _ := strings.Cut(variable, "="); name {
		case toolOptions, launcherOptions, lastOptions:
			if strings.TrimSpace(value) != "" {
				set = append(set, variable)
			}
		}
	}
	return set
}

// collectorOption is an option that chooses a garbage collector, or one that
// names a file with options.
var collectorOption = regexp.MustCompile(`-XX:\+Use\w*GC\b|-XX:(Flags|VMOptionsFile)=|(^|\s)@`)

// choosesCollector reports whether the variables may choose a garbage
// collector. Java fails if two are chosen.
func choosesCollector(environment []string) bool {
	return slices.ContainsFunc(optionsOf(environment), func(variable string) bool {
		_, value, _ := strings.Cut(variable, "=")
		return collectorOption.MatchString(value)
	})
}

// javaEnvironment returns the environment for Java and for Maven. Java opens a
// file whose name is not ASCII only in a locale that can write the name.
// _JAVA_OPTIONS overrules the command line, so its options move to
// JAVA_TOOL_OPTIONS, which does not. A relative JAVA_HOME becomes absolute.
func javaEnvironment(environment []string) []string {
	result := []string{"LC_ALL=C.UTF-8"}
	var options []string
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "LC_ALL":
		case name == toolOptions:
			options = append([]string{value}, options...)
		case name == lastOptions:
			options = append(options, value)
		case name == "JAVA_HOME" && value != "":
			if home, err := filepath.Abs(value); err == nil {
				value = home
			}
			result = append(result, "JAVA_HOME="+value)
		default:
			result = append(result, variable)
		}
	}
	if both := strings.TrimSpace(strings.Join(options, " ")); both != "" {
		result = append(result, toolOptions+"="+both)
	}
	return result
}
