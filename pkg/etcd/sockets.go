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

package etcd

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	clientSocket = "client.sock"
	peerSocket   = "peer.sock"
	// maxSocketPath is the longest path of a unix socket that every system takes (Linux: 108 bytes with the final zero).
	maxSocketPath = 103
)

// socketDir makes the directory of the sockets. Only this user can enter it, which is all the access control that etcd has here. It lies in
// the data directory, or, where that would make the path of a socket too long, among the temporary files under a name made from it.
func socketDir(dataDir string) (string, error) {
	dir := filepath.Join(dataDir, "sockets")
	if len(filepath.Join(dir, clientSocket)) > maxSocketPath {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("mysql-etcd-%d-%x", os.Getuid(), sha256.Sum256([]byte(dataDir)))[:40])
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("make the directory of etcd's sockets: %w", err)
	}
	// Among the temporary files, somebody else may have made it first.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the directory of etcd's sockets: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a directory of ours: remove it", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", fmt.Errorf("close the directory of etcd's sockets to others: %w", err)
	}
	return dir, nil
}

// removeSockets leaves nothing behind; what is left after a crash is replaced by the next start.
func removeSockets(dir string) {
	for _, name := range []string{clientSocket, peerSocket, ""} {
		_ = os.Remove(filepath.Join(dir, name))
	}
}
