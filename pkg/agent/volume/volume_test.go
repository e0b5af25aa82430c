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

package volume

import (
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func open(t *testing.T, dir string) *Volume {
	t.Helper()
	v, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hasData(t *testing.T, v *Volume) bool {
	t.Helper()
	has, err := v.HasData()
	if err != nil {
		t.Fatal(err)
	}
	return has
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(path, "mysql"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestRecordSurvives(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	if v.Record() != (Record{}) {
		t.Errorf("a new volume remembers %+v", v.Record())
	}
	want := Record{ClusterUID: "u", Term: 7, DiscardTerm: 6, ResetReplication: true}
	if err := v.Update(func(r *Record) { *r = want }); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir).Record(); got != want {
		t.Errorf("the record is %+v, want %+v", got, want)
	}
}

// A record that cannot be read must not pass for none: the term in it would be forgotten.
// TestTheRecordNeedsNoNewSpace: on a full volume there is none.
func TestTheRecordNeedsNoNewSpace(t *testing.T) {
	dir := t.TempDir()
	files := func() map[uint64]bool {
		inodes := map[uint64]bool{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				t.Fatal(err)
			}
			inodes[info.Sys().(*syscall.Stat_t).Ino] = true
		}
		return inodes
	}
	v, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Update(func(r *Record) { r.ClusterUID, r.Term = "a-long-uid", 1 }); err != nil {
		t.Fatal(err)
	}
	before := files()
	for term := int64(2); term < 20; term++ {
		if err := v.Update(func(r *Record) { r.ClusterUID, r.Term = "uid", term }); err != nil {
			t.Fatal(err)
		}
		if after := files(); !maps.Equal(before, after) {
			t.Fatalf("the files were %v, and are %v", before, after)
		}
		again, err := Open(dir)
		if err != nil || again.Record() != (Record{ClusterUID: "uid", Term: term}) {
			t.Fatalf("Open = %+v, %v", again.Record(), err)
		}
		before = files() // the directory for temporary files is another one
	}
}

func TestSpaceIsThatOfTheVolume(t *testing.T) {
	v, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if available, size, err := v.Space(); err != nil || available < 0 || size < 1<<20 || available > size {
		t.Errorf("Space = %d, %d, %v", available, size, err)
	}
}

func TestDamagedRecordIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, recordName), []byte(`{"term":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a damaged record is accepted")
	}
}

func TestUnfinishedIsNoData(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "lost+found"))
	v := open(t, dir)
	if err := v.Update(func(r *Record) { r.Term = 1 }); err != nil { // as before anything is made
		t.Fatal(err)
	}
	mkdir(t, v.Unfinished("clone"))
	mkdir(t, v.TempDir())
	v = open(t, dir)
	if hasData(t, v) {
		t.Error("an unfinished copy passes for data")
	}
	if _, err := os.Stat(v.Unfinished("clone")); !os.IsNotExist(err) {
		t.Errorf("an unfinished copy is kept: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lost+found")); err != nil {
		t.Errorf("what is not ours is gone: %v", err)
	}
}

func TestAdoptAndDiscard(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	mkdir(t, v.Unfinished("clone"))
	if err := v.Adopt(v.Unfinished("clone")); err != nil {
		t.Fatal(err)
	}
	if !hasData(t, open(t, dir)) {
		t.Error("adopted data are not there")
	}
	mkdir(t, v.Unfinished("clone"))
	if err := v.Adopt(v.Unfinished("clone")); err == nil {
		t.Error("data have been replaced without being discarded")
	}
	if err := v.Discard(); err != nil {
		t.Fatal(err)
	}
	if hasData(t, v) {
		t.Error("discarded data are there")
	}
	if _, err := os.Stat(v.Unfinished("clone")); err != nil {
		t.Errorf("what was being made is gone with the discarded data: %v", err)
	}
	if err := v.Discard(); err != nil {
		t.Errorf("discarding nothing: %v", err)
	}
}

func TestOnlyAKernelsEndBeforeMysqldsMakesARecordDoubtful(t *testing.T) {
	tests := map[string]struct {
		record  Record
		joining bool
	}{
		"never started":                         {Record{}, false},
		"of an agent that did not note it":      {Record{ClusterUID: "u", Term: 2}, false},
		"the same kernel":                       {Record{BootID: "this"}, false},
		"the same kernel, stopped in order":     {Record{BootID: "this", CleanStop: true}, false},
		"another kernel, stopped in order":      {Record{BootID: "that", CleanStop: true}, false},
		"another kernel":                        {Record{BootID: "that"}, true},
		"joining already":                       {Record{BootID: "this", CleanStop: true, Joining: true}, true},
		"another kernel, of a cluster that was": {Record{ClusterUID: "u", BootID: "that"}.Adopted("v"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := test.record
			r.Start("this")
			if r.Joining != test.joining || r.BootID != "this" || r.CleanStop {
				t.Errorf("started, %+v becomes %+v", test.record, r)
			}
		})
	}
}
