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

package prereq

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// Install installs Debian packages. What apt-get says is written to a log.
func Install(ctx context.Context, l layout.Layout, packages []string) error {
	logFile := l.Log("apt-get")
	if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	install := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if aptGet(ctx, log, install...) == nil {
		return nil
	}
	// The lists of packages may be missing or out of date.
	err = aptGet(ctx, log, "update")
	if err == nil {
		err = aptGet(ctx, log, install...)
	}
	if err != nil {
		return fmt.Errorf("install %s: %w; the last lines of %s:\n%s", strings.Join(packages, ", "), err, logFile,
			strings.Join(process.Tail(logFile, 8), "\n"))
	}
	if still := missingTools(); len(still) > 0 {
		_, what := packagesFor(still)
		return fmt.Errorf("the packages are installed, yet these are still missing: %s", what)
	}
	return nil
}

func aptGet(ctx context.Context, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", args[0], err)
	}
	return nil
}
