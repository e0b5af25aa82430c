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

// Package progress shows what is being done and how long each stage took.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Report prints stages, several of which may be under way at once.
type Report struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
	now   func() time.Time
	// open is the stage whose line is not ended yet.
	open *Stage
}

// New begins a report.
func New(out io.Writer) *Report {
	return &Report{out: out, start: time.Now(), now: time.Now}
}

// Stage is one thing being done.
type Stage struct {
	report *Report
	name   string
	begun  time.Time
}

// Begin prints that a stage begins.
func (r *Report) Begin(name string) *Stage {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &Stage{report: r, name: name, begun: r.now()}
	r.endLine()
	fmt.Fprintf(r.out, "[%5.1fs] %s …", r.elapsed(), name)
	r.open = s
	return s
}

// Done prints that a stage is over, and what came out of it.
func (s *Stage) Done(format string, args ...any) {
	r := s.report
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open != s { // another line came in between
		r.endLine()
		fmt.Fprintf(r.out, "[%5.1fs] %s …", r.elapsed(), s.name)
	}
	fmt.Fprintf(r.out, " %s (%.1fs)\n", fmt.Sprintf(format, args...), r.now().Sub(s.begun).Seconds())
	r.open = nil
}

// Note prints a line of its own about a stage that is still under way.
func (s *Stage) Note(format string, args ...any) {
	r := s.report
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLine()
	fmt.Fprintf(r.out, "[%5.1fs]   %s: %s\n", r.elapsed(), s.name, fmt.Sprintf(format, args...))
}

// Line prints a line that belongs to no stage.
func (r *Report) Line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLine()
	fmt.Fprintf(r.out, format+"\n", args...)
}

// Elapsed is the time since the report began.
func (r *Report) Elapsed() time.Duration { return r.now().Sub(r.start) }

func (r *Report) elapsed() float64 { return r.Elapsed().Seconds() }

func (r *Report) endLine() {
	if r.open != nil {
		fmt.Fprintln(r.out)
		r.open = nil
	}
}
