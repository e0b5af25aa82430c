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

package agent

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// outputLog passes mysqld's log on, line by line, and keeps its last complaint.
type outputLog struct {
	agent *Agent

	mu    sync.Mutex
	error string
	// failed is the first failure of a statement of the start.
	failed string
}

// statementFailed is the number under which mysqld logs the failure of a statement that it reads from a file at its start.
const statementFailed = "[MY-000061]"

// line gets each line that mysqld writes.
func (o *outputLog) line(text string) {
	fmt.Fprintln(os.Stdout, text)
	// "… [ERROR] [MY-000067] [Server] unknown variable 'x=1'."; the last one says only that mysqld gives up.
	if _, message, found := strings.Cut(text, "[ERROR]"); found && !strings.HasSuffix(strings.TrimSpace(text), "Aborting") {
		o.mu.Lock()
		o.error = strings.TrimSpace(message)
		if strings.Contains(text, statementFailed) && o.failed == "" {
			o.failed = o.error
		}
		o.mu.Unlock()
	}
	// Whatever mysqld finds worth a line mostly changes its state too: a replica's source hung up, for example.
	if o.agent != nil {
		o.agent.observeSoon()
		if complainsOfSpace(text) {
			ask(o.agent.complaint)
		}
	}
}

// startProblem says which of the statements of the start failed; empty if none.
func (o *outputLog) startProblem() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == "" {
		return ""
	}
	return "a statement of initFileExtraSQL has failed: " + o.failed
}

// lastError returns the last error that mysqld logged, without its time.
func (o *outputLog) lastError() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.error
}
