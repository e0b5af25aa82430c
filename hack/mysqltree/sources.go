/*
Copyright The MySQL API Server Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is one entry of apt's sources: a repository, with the suites and components that are taken from it.
type source struct {
	uris, suites, components []string
}

// findMirrors returns the addresses of the Debian archive that this machine's own apt uses, best first. The archive has all
// suites side by side, so that the address that serves the installed release serves sid too.
func findMirrors(etcApt, codename string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(etcApt, "sources.list.d", "*"))
	if err != nil {
		return nil, fmt.Errorf("list apt's sources: %w", err)
	}
	files = append([]string{filepath.Join(etcApt, "sources.list")}, files...)

	var sources []source
	for _, file := range files {
		var parse func(string) []source
		switch filepath.Ext(file) {
		case ".list":
			parse = parseList
		case ".sources":
			parse = parseDeb822
		default:
			continue
		}
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt's sources: %w", err)
		}
		sources = append(sources, parse(string(text))...)
	}
	mirrors := archiveOf(sources, codename)
	if len(mirrors) == 0 {
		return nil, fmt.Errorf("%s names no Debian archive with the suite %q and the component main; name one with --mirror", etcApt, codename)
	}
	return mirrors, nil
}

// archiveOf picks the addresses that hold the release itself (not its security updates, not a third party's packages).
func archiveOf(sources []source, codename string) []string {
	suites := []string{codename, "stable", "testing", "unstable", "sid"}
	var likely, others []string
	for _, s := range sources {
		if !slices.Contains(s.components, "main") || !slices.ContainsFunc(s.suites, func(suite string) bool {
			return slices.Contains(suites, suite)
		}) {
			continue
		}
		for _, uri := range s.uris {
			uri = strings.TrimRight(uri, "/")
			switch {
			case slices.Contains(likely, uri) || slices.Contains(others, uri):
			case strings.HasSuffix(uri, "/debian"):
				likely = append(likely, uri)
			default:
				others = append(others, uri)
			}
		}
	}
	return append(likely, others...)
}

// parseList parses the one-line format: deb [option=value …] uri suite component …
func parseList(text string) []source {
	var sources []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, found := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !found || rest == "" || !strings.ContainsAny(rest[:1], " \t[") {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if words := strings.Fields(rest); len(words) >= 3 {
			sources = append(sources, source{uris: words[:1], suites: words[1:2], components: words[2:]})
		}
	}
	return sources
}

// parseDeb822 parses the format of .sources files: paragraphs of "Field: words", continued on indented lines.
func parseDeb822(text string) []source {
	var sources []source
	fields := map[string][]string{}
	last := ""
	flush := func() {
		disabled := slices.Equal(fields["enabled"], []string{"no"})
		if slices.Contains(fields["types"], "deb") && !disabled {
			sources = append(sources, source{fields["uris"], fields["suites"], fields["components"]})
		}
		fields, last = map[string][]string{}, ""
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case strings.HasPrefix(line, "#"):
		case line[0] == ' ' || line[0] == '\t':
			fields[last] = append(fields[last], strings.Fields(line)...)
		default:
			name, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.Fields(value)
		}
	}
	flush()
	return sources
}

// releaseCodename reads the codename of the installed Debian from os-release.
func releaseCodename(osRelease string) (string, error) {
	text, err := os.ReadFile(osRelease)
	if err != nil {
		return "", fmt.Errorf("find out which system this is: %w", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"'`)
	}
	if values["ID"] != "debian" {
		return "", fmt.Errorf("this is %q, not Debian: its apt does not lead to Debian's archive; name one with --mirror", values["ID"])
	}
	return values["VERSION_CODENAME"], nil
}
