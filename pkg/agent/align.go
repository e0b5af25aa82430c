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
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/db"
	"github.com/presslabs/mysql-apiserver/pkg/agent/httpapi"
)

// align looks at the mounted Secrets now and then.
func (a *Agent) align(s *session) {
	tick := time.NewTicker(a.options.FilesInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.watching.Done():
			return
		case <-tick.C:
			a.alignFiles(s)
		}
	}
}

// alignFiles makes mysqld follow mounted Secrets that have changed.
func (a *Agent) alignFiles(s *session) {
	ctx, cancel := context.WithTimeout(s.watching, a.options.OrderTimeout)
	defer cancel()
	a.alignTLS(ctx, s)
	a.alignRootPassword(ctx, s)
}

// alignTLS makes mysqld use rotated certificates.
func (a *Agent) alignTLS(ctx context.Context, s *session) {
	digest, err := a.digestTLS()
	if err != nil || digest == s.tlsDigest {
		return
	}
	if err := s.db.ReloadTLS(ctx); err != nil {
		a.log.Error("loading the new certificates failed", "error", err)
		return
	}
	s.tlsDigest = digest
	a.log.Info("mysqld uses the new certificates")
}

func (a *Agent) digestTLS() (string, error) {
	hash := sha256.New()
	for _, name := range []string{httpapi.CAFile, httpapi.CertFile, httpapi.KeyFile} {
		file, err := os.Open(filepath.Join(a.options.TLSDir, name))
		if err != nil {
			return "", err
		}
		_, err = io.Copy(hash, file)
		file.Close()
		if err != nil {
			return "", err
		}
	}
	return string(hash.Sum(nil)), nil
}

// alignRootPassword makes the password in the user's Secret root's. Only a primary whose commits do not wait does that: replicas
// get it from there. An account that the user has removed stays so.
func (a *Agent) alignRootPassword(ctx context.Context, s *session) {
	state := a.board.peek()
	if state.Phase != api.PhaseRunning || state.Role != api.RolePrimary || state.SuperReadOnly ||
		state.SemiSync.Clients < state.SemiSync.RequiredAcks {
		return
	}
	secret, err := a.options.loadUserSecret()
	if err != nil || secret.rootPassword == s.rootPassword {
		return
	}
	root, err := db.Open(ctx, a.runFile(socketName), "root", secret.rootPassword)
	switch {
	case err == nil:
		root.Close()
	case !db.IsAccessDenied(err):
		a.log.Warn("trying root's password failed", "error", err)
		return
	default:
		if err := s.db.SetRootPassword(ctx, secret.rootPassword); err != nil {
			a.log.Error("changing root's password failed", "error", err)
			return
		}
		a.log.Info("root's password has been changed to that of the Secret")
	}
	s.rootPassword = secret.rootPassword
}
