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

package gtid

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const maxTagLength = 32

// Parse reads a set as MySQL writes it: "uuid:1-5:7,uuid:tag:1-3". White space is ignored, the empty string is the empty set.
func Parse(text string) (Set, error) {
	sources := map[origin][]interval{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := parseServer(part, sources); err != nil {
			return Set{}, fmt.Errorf("GTID set %q: %w", abbreviate(text), err)
		}
	}
	for o, intervals := range sources {
		if sources[o] = merge(intervals); len(sources[o]) == 0 {
			delete(sources, o)
		}
	}
	return Set{sources}, nil
}

// MustParse is Parse for constants of tests and tables; it panics on an error.
func MustParse(text string) Set {
	set, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return set
}

// parseServer reads "uuid:1-5:7:tag:1-3". Like the server, it lets a UUID or a tag stand without transactions.
func parseServer(text string, sources map[origin][]interval) error {
	first, rest, found := strings.Cut(text, ":")
	uuid, err := parseUUID(strings.TrimSpace(first))
	if err != nil {
		return err
	}
	if !found {
		return nil
	}
	current := origin{uuid: uuid}
	for word := range strings.SplitSeq(rest, ":") {
		word = strings.TrimSpace(word)
		if word == "" || word[0] >= '0' && word[0] <= '9' {
			i, empty, err := parseInterval(word)
			if err != nil {
				return err
			}
			if !empty {
				sources[current] = append(sources[current], i)
			}
			continue
		}
		if current.tag, err = parseTag(word); err != nil {
			return err
		}
	}
	return nil
}

// parseInterval reads "7" or "1-5". Like the server, it takes an interval whose end is before its start as empty.
func parseInterval(text string) (i interval, empty bool, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if i.first, err = parseNumber(first, 1); err != nil {
		return i, false, err
	}
	i.last = i.first
	if isRange {
		if i.last, err = parseNumber(last, 0); err != nil {
			return i, false, err
		}
	}
	return i, i.last < i.first, nil
}

func parseNumber(text string, least int64) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, fmt.Errorf("%q is not the number of a transaction", text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > maxNumber {
		return 0, fmt.Errorf("%q is not the number of a transaction", text)
	}
	return n, nil
}

// parseTag checks and normalises a tag: letters, digits and underscores, starting with no digit.
func parseTag(text string) (string, error) {
	tag := strings.ToLower(text)
	valid := len(tag) <= maxTagLength
	for _, c := range []byte(tag) {
		valid = valid && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if !valid {
		return "", fmt.Errorf("%q is neither a number nor a tag", text)
	}
	return tag, nil
}

// parseUUID checks and normalises a server's UUID: 32 hexadecimal digits, with dashes at their places or without any. Braces around it
// are allowed.
func parseUUID(text string) (string, error) {
	if inner, found := strings.CutPrefix(text, "{"); found && strings.HasSuffix(inner, "}") {
		text = strings.TrimSuffix(inner, "}")
	}
	digits := strings.ReplaceAll(text, "-", "")
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 16 {
		return "", fmt.Errorf("%q is not the UUID of a server", text)
	}
	digits = strings.ToLower(digits)
	uuid := strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
	if !strings.EqualFold(uuid, text) && len(text) != len(digits) {
		return "", fmt.Errorf("%q is not the UUID of a server", text)
	}
	return uuid, nil
}

// abbreviate keeps error messages short: sets can be very long.
func abbreviate(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
