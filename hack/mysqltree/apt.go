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

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// keyrings are where Debian installs the keys that its archive is signed with.
var keyrings = []string{
	"/usr/share/keyrings/debian-archive-keyring.gpg",
	"/usr/share/keyrings/debian-archive-keyring.pgp",
}

// apt is an apt with a root of its own: it knows of no installed package, needs no privilege and changes nothing of the
// machine's.
type apt struct {
	root string
}

// newApt prepares the root. The machine's way to the network (proxies, timeouts, certificates) is taken over.
func newApt(ctx context.Context, root, mirror string) (*apt, error) {
	keyring := ""
	for _, file := range keyrings {
		if _, err := os.Stat(file); err == nil {
			keyring = file
			break
		}
	}
	if keyring == "" {
		return nil, errors.New("the keys of Debian's archive are not installed; as root: apt-get install debian-archive-keyring")
	}
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial", "etc/parts", "etc/preferences.d"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return nil, fmt.Errorf("prepare apt: %w", err)
		}
	}
	network, err := networkSettings(ctx)
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`Dir %q;
Dir::State %q;
Dir::State::status %q;
Dir::Cache %q;
Dir::Etc %q;
Dir::Etc::sourcelist %q;
Dir::Etc::sourceparts "-";
Dir::Etc::parts %q;
Dir::Etc::main "/dev/null";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
APT::Sandbox::User "";
%s`, root+"/", root+"/state", root+"/state/status", root+"/cache", root+"/etc", root+"/sources.list", root+"/etc/parts", network)

	for name, text := range map[string]string{
		"state/status": "",
		"sources.list": fmt.Sprintf("deb [signed-by=%s] %s sid main\n", keyring, mirror),
		"apt.conf":     conf,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("prepare apt: %w", err)
		}
	}
	return &apt{root: root}, nil
}

// networkSettings returns the machine's own settings for reaching an archive.
func networkSettings(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return "", fmt.Errorf("read apt's configuration: %w", err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		for _, prefix := range []string{"Acquire::http", "Acquire::https", "Acquire::ForceIPv"} {
			if strings.HasPrefix(line, prefix) {
				kept.WriteString(line)
				break
			}
		}
	}
	return kept.String(), nil
}

// update fetches the list of packages.
func (a *apt) update(ctx context.Context) error {
	return a.get(ctx, "update")
}

// download fetches packages with all that they depend on, and returns the files.
func (a *apt) download(ctx context.Context, packages ...string) ([]string, error) {
	if err := a.get(ctx, append([]string{"install", "--yes", "--download-only"}, packages...)...); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(a.root, "cache/archives/*.deb"))
	if err == nil && len(files) == 0 {
		err = errors.New("apt-get downloaded nothing")
	}
	return files, err
}

func (a *apt) get(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.root, "apt.conf"), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, complaints(string(out)))
	}
	return nil
}

// complaints keeps of apt's output the lines that say what is wrong.
func complaints(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "E:") || strings.HasPrefix(line, "W:") || strings.HasPrefix(line, "Err:") {
			kept = append(kept, "  "+line)
		}
	}
	if len(kept) == 0 {
		return out
	}
	return strings.Join(kept, "\n")
}
