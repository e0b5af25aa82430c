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

package kubectlmysql

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
)

// Terminal is what the user reads and types on.
type Terminal struct {
	In          io.Reader
	Out, ErrOut io.Writer
	// Interactive is true when somebody sits there who can be asked.
	Interactive bool
	// Width returns the number of columns of Out; 0 when Out is no terminal, so that lines may have any length and nothing is drawn twice.
	Width func() int
	// Color is true when Out shows colours.
	Color bool
	// Now tells the time.
	Now func() time.Time
}

// Console returns the terminal of the process.
func Console() *Terminal {
	t := &Terminal{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr, Now: time.Now}
	out, kind := int(os.Stdout.Fd()), os.Getenv("TERM")
	drawn := term.IsTerminal(out) && kind != "dumb"
	t.Interactive = term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	t.Color = drawn && os.Getenv("NO_COLOR") == ""
	t.Width = func() int {
		if !drawn {
			return 0
		}
		if width, _, err := term.GetSize(out); err == nil && width > 0 {
			return width
		}
		return 80
	}
	return t
}

// drawn is true when what was printed can be replaced.
func (t *Terminal) drawn() bool { return t.Width() > 0 }

func (t *Terminal) style() render.Style { return render.Style{Width: t.Width(), Color: t.Color} }

// Escape sequences of terminals.
const (
	// home goes to the top of the screen, eraseLine and eraseBelow remove what is left of an earlier screen.
	home       = "\x1b[H"
	eraseLine  = "\x1b[K"
	eraseBelow = "\x1b[J"
)
