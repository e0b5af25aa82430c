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
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// writeRecord replaces the record's file, durably and by one rename. The file of before stays as a spare and is written next time: on a
// full volume, where no new file could be made, a node can still be told that it is not the primary any more.
func (v *Volume) writeRecord(text []byte) error {
	record, spare := filepath.Join(v.dir, recordName), filepath.Join(v.dir, spareName)
	if err := overwrite(spare, text); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, spare, unix.AT_FDCWD, record, unix.RENAME_EXCHANGE)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// There is no record yet, or the file system cannot exchange files.
		err = os.Rename(spare, record)
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w", recordName, err)
	}
	return syncDirectory(v.dir)
}

// keepSpare makes the spare file that is there when the volume is full.
func (v *Volume) keepSpare() error {
	spare := filepath.Join(v.dir, spareName)
	info, err := os.Stat(spare)
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return overwrite(spare, []byte("{}\n"))
}

// overwrite writes a file durably in the space that it has already, if it is there.
func overwrite(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Truncate(int64(len(text))), file.Sync(), file.Close())
}

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Space returns how many bytes are available on the volume, and its size.
func (v *Volume) Space() (available, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(v.dir, &s); err != nil {
		return 0, 0, fmt.Errorf("look for space on the volume: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
