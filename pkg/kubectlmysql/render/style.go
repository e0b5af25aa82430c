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

// Package render turns reports, plans and the progress of operations into text for people. It is pure: the time and the width of the terminal
// are told to it.
package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Style says how to print.
type Style struct {
	// Width is the number of columns of the terminal; 0 means that lines may have any length.
	Width int
	// Color is true when colours may be used.
	Color bool
}

// color is an escape sequence of terminals.
type color string

const (
	plain  color = ""
	bold   color = "\x1b[1m"
	dim    color = "\x1b[2m"
	red    color = "\x1b[31m"
	green  color = "\x1b[32m"
	yellow color = "\x1b[33m"
	reset        = "\x1b[0m"
)

// paint puts text in a colour, if there are any.
func (s Style) paint(c color, text string) string {
	if !s.Color || c == plain || text == "" {
		return text
	}
	return string(c) + text + reset
}

// title is the heading of a part of the screen.
func (s Style) title(text string) string { return s.paint(bold, text) + "\n" }

// paragraph prints text as lines that fit, painted, the first one after first, the others after rest.
func (s Style) paragraph(c color, first, rest, text string) string {
	var b strings.Builder
	prefix := first
	for _, line := range s.wrap(text, max(width(first), width(rest))) {
		b.WriteString(strings.TrimRight(prefix+s.paint(c, line), " ") + "\n")
		prefix = rest
	}
	return b.String()
}

// least is the number of columns that text gets however narrow the terminal is.
const least = 20

// wrap cuts text into lines that fit besides an indentation. Words stay whole if they can.
func (s Style) wrap(text string, indentation int) []string {
	text = harmless(text)
	if s.Width == 0 {
		return []string{strings.Join(strings.Fields(text), " ")}
	}
	room := max(s.Width-indentation, least)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && width(line)+1+width(word) <= room {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for width(word) > room {
			var head string
			head, word = split(word, room)
			lines = append(lines, head)
		}
		line = word
	}
	return append(lines, line)
}

// harmless shows the control characters of a text that somebody wrote, instead of sending them to the terminal of whoever reads it.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// split cuts a long word, such as a set of transactions: behind a server's UUID if that is not too far from the end of the line.
func split(word string, room int) (head, rest string) {
	runes := []rune(word)
	at := room
	for i := room; i > room/2; i-- {
		if runes[i-1] == ':' || runes[i-1] == ',' {
			at = i
			break
		}
	}
	return string(runes[:at]), string(runes[at:])
}

// width is the number of columns that text takes. Colours take none.
func width(text string) int {
	columns := utf8.RuneCountInString(text)
	for _, rest := range strings.Split(text, "\x1b")[1:] {
		columns -= 1 + strings.Index(rest, "m") + 1
	}
	return columns
}

// pad fills text with blanks.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-width(text)))
}
