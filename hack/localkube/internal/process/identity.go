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

// Package process starts programs that outlive their starter, and finds them again later without ever mistaking another
// process for them.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Identity names one process for good: the kernel uses a PID again, but not with the same start time in the same boot.
type Identity struct {
	PID int `json:"pid"`
	// Start is the time of its start in clock ticks since the boot.
	Start uint64 `json:"start"`
	// Boot is the kernel's identifier of that boot.
	Boot string `json:"boot"`
}

// ErrGone says that there is no such process (any more). A zombie counts as gone.
var ErrGone = errors.New("no such process")

// Identify returns the identity of the process that has the PID now, or ErrGone.
func Identify(pid int) (Identity, error) {
	boot, err := BootID()
	if err != nil {
		return Identity{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, ErrGone
	}
	if err != nil {
		return Identity{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	state, start, err := parseStat(stat)
	if err != nil {
		return Identity{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	if state == 'Z' || state == 'X' {
		return Identity{}, ErrGone
	}
	return Identity{PID: pid, Start: start, Boot: boot}, nil
}

// Alive tells whether exactly this process still runs.
func (id Identity) Alive() bool {
	if id.PID <= 0 {
		return false
	}
	now, err := Identify(id.PID)
	return err == nil && now == id
}

// BootID returns the kernel's identifier of the present boot.
func BootID() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot's identifier: %w", err)
	}
	return strings.TrimSpace(string(boot)), nil
}

// parseStat takes a process' state and start time from its /proc/PID/stat. The command's name, in parentheses, may itself contain
// parentheses and spaces: what counts comes after the last one.
func parseStat(stat []byte) (state byte, start uint64, err error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, errors.New("malformed stat: no command name")
	}
	fields := strings.Fields(string(stat[end+1:]))
	const stateField, startField = 0, 19 // the third and the twenty-second of the line
	if len(fields) <= startField {
		return 0, 0, fmt.Errorf("malformed stat: %d fields after the name", len(fields))
	}
	start, err = strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("malformed stat: start time: %w", err)
	}
	return fields[stateField][0], start, nil
}
