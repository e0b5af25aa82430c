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
	"slices"
	"strings"
)

// dictionaryName is the file with MySQL's data dictionary, which every complete data directory has.
const dictionaryName = "mysql.ibd"

// Foreign returns the names of what lies on the volume and is not ours, while there are no data of ours: it may be somebody's data in
// another layout, such as a data directory in the volume's root. What Open has found counts until the volume is opened again, so that
// files which are just being moved are not taken for what they are halfway.
func (v *Volume) Foreign() ([]string, error) {
	if len(v.foreign) > 0 {
		return v.foreign, nil
	}
	return findForeign(v.dir)
}

func findForeign(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the volume: %w", err)
	}
	var names, foreign []string
	for _, entry := range entries {
		names = append(names, entry.Name())
		if !isOurs(entry.Name()) {
			foreign = append(foreign, entry.Name())
		}
	}
	if slices.Contains(names, dataName) {
		// In the root of a data directory, "data" and "tmp" are databases of those names.
		complete, err := exists(filepath.Join(dir, dataName, dictionaryName))
		if err != nil || complete || len(foreign) == 0 {
			return nil, err
		}
		return append(foreign, dataName), nil
	}
	// Nothing is put into our tmp before an order has been accepted, which the record tells.
	if slices.Contains(names, tempName) && !slices.Contains(names, recordName) {
		inTemp, err := os.ReadDir(filepath.Join(dir, tempName))
		if err != nil {
			return nil, fmt.Errorf("read the volume: %w", err)
		}
		if len(inTemp) > 0 {
			foreign = append(foreign, tempName)
		}
	}
	return foreign, nil
}

// isOurs tells by the name whether an entry of the volume's root is one that we make, or one that the storage makes and mysqld would
// not mind either.
func isOurs(name string) bool {
	switch name {
	case dataName, tempName, recordName, spareName, "lost+found":
		return true
	}
	return strings.HasSuffix(name, unfinished) || strings.HasPrefix(name, ".")
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for data: %w", err)
	}
	return true, nil
}
