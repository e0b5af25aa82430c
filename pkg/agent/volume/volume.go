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

// Package volume knows the layout of a node's volume: the data directory, the agent's record beside it, and what is unfinished
// and may be thrown away. A data directory comes into being by one rename, when it is complete.
package volume

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	dataName   = "data"
	recordName = "agent.json"
	spareName  = "agent.json.spare"
	tempName   = "tmp"
	// unfinished marks names of directories that are not (or no longer) anybody's data.
	unfinished = ".unfinished"
)

// Record is what the agent remembers across restarts.
type Record struct {
	// ClusterUID is the cluster that the node's orders come from, Term the highest term of an accepted one.
	ClusterUID string `json:"clusterUID,omitempty"`
	Term       int64  `json:"term,omitempty"`
	// DiscardTerm is the term of the last order that replaced existing data, so that its repetition does not do it again.
	DiscardTerm int64 `json:"discardTerm,omitempty"`
	// ResetReplication is set when data have been cloned and the donor's own replication settings are still in them.
	ResetReplication bool `json:"resetReplication,omitempty"`
	// Joining is set when data have been cloned, or when something that was acknowledged may have been lost, until the controller knows
	// that the node has all that the primary had.
	Joining bool `json:"joining,omitempty"`
	// BootID is the kernel's in whose time mysqld was started last; empty if that is not known. CleanStop is true when mysqld has ended in
	// order since, and all of its files were written to the disk.
	BootID    string `json:"bootID,omitempty"`
	CleanStop bool   `json:"cleanStop,omitempty"`
}

// Start notes that mysqld is about to be started on the data, in the time of a kernel. Relay logs are not flushed with each transaction,
// for that would be too slow: they outlive mysqld in the kernel's memory, but not the kernel. So when that has ended before mysqld did,
// the data may lack transactions that have been acknowledged.
func (r *Record) Start(bootID string) {
	if r.BootID != "" && r.BootID != bootID && !r.CleanStop {
		r.Joining = true
	}
	r.BootID, r.CleanStop = bootID, false
}

// Adopted returns the record with which another cluster begins: its own terms, but the same data.
func (r Record) Adopted(clusterUID string) Record {
	r.ClusterUID, r.Term, r.DiscardTerm = clusterUID, 0, 0
	return r
}

// Volume is a node's volume. Its record may be used concurrently.
type Volume struct {
	dir string
	// foreign is what Open found beside our own files, where there were no data of ours.
	foreign []string
	mu      sync.Mutex
	record  Record
}

// Open reads the record, removes what is unfinished, and prepares the directory for temporary files. It touches nothing on a volume
// that holds the files of somebody else instead of data of ours.
func Open(dir string) (*Volume, error) {
	v := &Volume{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the agent's record: %w", err)
	default:
		if err := json.Unmarshal(text, &v.record); err != nil {
			return nil, fmt.Errorf("read the agent's record %s: %w", filepath.Join(dir, recordName), err)
		}
	}
	if v.foreign, err = findForeign(dir); err != nil || len(v.foreign) > 0 {
		return v, err
	}
	if err := v.Clean(); err != nil {
		return nil, err
	}
	if v.record != (Record{}) {
		_ = v.keepSpare()
	}
	return v, v.prepareTemp()
}

// Record returns what is remembered.
func (v *Volume) Record() Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.record
}

// Update changes what is remembered. When it returns without error, the change survives a crash of the machine.
func (v *Volume) Update(change func(*Record)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.record
	change(&r)
	if r == v.record {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the agent's record: %w", err)
	}
	if err := v.writeRecord(append(text, '\n')); err != nil {
		return fmt.Errorf("write the agent's record: %w", err)
	}
	v.record = r
	// A failure shows when the spare is needed; until then it does no harm.
	_ = v.keepSpare()
	return nil
}

// NoteCleanStop remembers that mysqld has ended in order, after all of its files have been written to the disk.
func (v *Volume) NoteCleanStop() error {
	if err := syncFileSystem(v.dir); err != nil {
		return err
	}
	return v.Update(func(r *Record) { r.CleanStop = true })
}

// DataDir is where complete data are.
func (v *Volume) DataDir() string { return filepath.Join(v.dir, dataName) }

// TempDir takes MySQL's temporary files.
func (v *Volume) TempDir() string { return filepath.Join(v.dir, tempName) }

// Unfinished returns the path for a directory that is thrown away at the next start unless Adopt makes it the data.
func (v *Volume) Unfinished(name string) string { return filepath.Join(v.dir, name+unfinished) }

// HasData tells whether there is a complete data directory of ours.
func (v *Volume) HasData() (bool, error) {
	if len(v.foreign) > 0 {
		return false, nil
	}
	return exists(v.DataDir())
}

// Adopt makes an unfinished directory the data directory. There must not be one yet.
func (v *Volume) Adopt(unfinishedDir string) error {
	if has, err := v.HasData(); err != nil || has {
		return errors.Join(err, errors.New("there are data already"))
	}
	// The files' contents first, then the name that declares them complete.
	if err := syncFileSystem(v.dir); err != nil {
		return err
	}
	if err := os.Rename(unfinishedDir, v.DataDir()); err != nil {
		return fmt.Errorf("adopt the data: %w", err)
	}
	return syncFileSystem(v.dir)
}

// Discard removes the data, and nothing else. An interruption leaves no half of them behind as data.
func (v *Volume) Discard() error {
	discarded := v.Unfinished("discarded")
	if err := os.RemoveAll(discarded); err != nil {
		return fmt.Errorf("discard the data: %w", err)
	}
	if err := os.Rename(v.DataDir(), discarded); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("discard the data: %w", err)
	}
	if err := os.RemoveAll(discarded); err != nil {
		return fmt.Errorf("discard the data: %w", err)
	}
	return nil
}

// Clean removes everything unfinished.
func (v *Volume) Clean() error {
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return fmt.Errorf("read the volume: %w", err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), unfinished) {
			if err := os.RemoveAll(filepath.Join(v.dir, entry.Name())); err != nil {
				return fmt.Errorf("remove what is unfinished: %w", err)
			}
		}
	}
	return nil
}

// prepareTemp empties the directory for temporary files: what a killed mysqld left there only takes space.
func (v *Volume) prepareTemp() error {
	if err := os.RemoveAll(v.TempDir()); err != nil {
		return fmt.Errorf("empty the temporary directory: %w", err)
	}
	if err := os.Mkdir(v.TempDir(), 0o750); err != nil {
		return fmt.Errorf("make the temporary directory: %w", err)
	}
	return nil
}

func syncFileSystem(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flush the volume: %w", err)
	}
	defer file.Close()
	if err := unix.Syncfs(int(file.Fd())); err != nil {
		return fmt.Errorf("flush the volume: %w", err)
	}
	return nil
}
