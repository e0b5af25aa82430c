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

package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/parts"
)

const goarch = runtime.GOARCH

// recipe is part of every fingerprint: it changes when the same files are to make another image.
const recipe = "1"

// Names of the images as manifests write them.
const (
	// Product is the project's own image.
	Product = "presslabs/mysql-apiserver"
	// MySQL is the name of MySQL's image.
	MySQL = "mysql"
	// mysqlSeries is the tag by which the version that Debian has is known.
	mysqlSeries = "9.7"
)

// Users inside the images.
const (
	productUser = 65532
	mysqlUser   = 999
)

// Image is an image to be loaded: what it is made of is looked at only if the fingerprint is not the one of the image that is there.
type Image struct {
	// Family is the same for all versions of it.
	Family string
	// Names are its references, short as in a manifest.
	Names []string
	// Fingerprint changes whenever the content does.
	Fingerprint string

	entries func() ([]Entry, error)
	config  v1.Config
}

// Pause is the image that holds pods' namespaces.
func Pause(l layout.Layout) (Image, error) {
	print, err := fingerprint(l.Bin("pause"))
	return Image{
		Family: "pause", Names: []string{parts.PauseImage}, Fingerprint: print,
		entries: func() ([]Entry, error) {
			return []Entry{{Path: "pause", Mode: 0o755, Source: l.Bin("pause")}}, nil
		},
		config: v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535"},
	}, err
}

// productBinaries are the programs in the project's own image.
var productBinaries = []string{"apiserver", "controller", "agent"}

// ErrNotBuilt says that an image's content is not there yet.
var ErrNotBuilt = errors.New("not built yet")

// OfProduct is the project's own image; its tag is a digest of the programs in it. It returns ErrNotBuilt if they are not there.
func OfProduct(l layout.Layout) (image Image, tag string, err error) {
	var files []string
	entries := []Entry{
		{Path: "etc/passwd", Mode: 0o644, Content: fmt.Appendf(nil, "nonroot:x:%[1]d:%[1]d::/:/sbin/nologin\n", productUser)},
		Dir("tmp", fs.ModeSticky|0o777, 0),
	}
	for _, name := range productBinaries {
		if err := static(l.Bin(name)); errors.Is(err, fs.ErrNotExist) {
			return Image{}, "", fmt.Errorf("%w: %w", ErrNotBuilt, err)
		} else if err != nil {
			return Image{}, "", err
		}
		files = append(files, l.Bin(name))
		entries = append(entries, Entry{Path: "usr/local/bin/" + name, Mode: 0o755, Source: l.Bin(name)})
	}
	print, err := fingerprint(files...)
	if err != nil {
		return Image{}, "", err
	}
	tag = print[:12]
	return Image{
		Family: "product", Names: []string{Product + ":" + tag}, Fingerprint: print,
		entries: func() ([]Entry, error) { return entries, nil },
		config: v1.Config{
			Env:  []string{"PATH=/usr/local/bin"},
			User: fmt.Sprintf("%[1]d:%[1]d", productUser),
		},
	}, tag, nil
}

// static returns an error if a program needs a loader and libraries, which the project's image does not have.
func static(file string) error {
	program, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically and cannot run in the image: build it with CGO_ENABLED=0, as make build does", file)
		}
	}
	return nil
}

// stampFile, in the root of MySQL's tree, says what the tree was made of.
const stampFile = ".mysqltree"

// OfMySQL is the image made of MySQL's tree. It returns ErrNotBuilt if there is no tree.
func OfMySQL(ctx context.Context, l layout.Layout) (Image, error) {
	dir := l.MySQL()
	print, err := fingerprint(filepath.Join(dir, stampFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Image{}, fmt.Errorf("%w: %w", ErrNotBuilt, err)
	}
	if err != nil {
		return Image{}, err
	}
	version, err := mysqlVersion(ctx, dir)
	if err != nil {
		return Image{}, err
	}
	return Image{
		Family: "mysql", Names: []string{MySQL + ":" + mysqlSeries, MySQL + ":" + version}, Fingerprint: print,
		entries: func() ([]Entry, error) { return mysqlEntries(dir) },
		config: v1.Config{
			Env:        []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
			User:       fmt.Sprintf("%[1]d:%[1]d", mysqlUser),
			Entrypoint: []string{"/usr/sbin/mysqld"},
		},
	}, nil
}

// mysqlEntries completes the unpacked packages to a root file system: what Debian's installer, not its packages, would make.
func mysqlEntries(dir string) ([]Entry, error) {
	entries := []Entry{
		Link("bin", "usr/bin"), Link("sbin", "usr/sbin"), Link("lib", "usr/lib"), Link("lib64", "usr/lib64"),
		{Path: "etc/passwd", Mode: 0o644, Content: fmt.Appendf(nil,
			"root:x:0:0:root:/root:/bin/sh\nmysql:x:%[1]d:%[1]d:MySQL:/var/lib/mysql:/bin/false\n", mysqlUser)},
		{Path: "etc/group", Mode: 0o644, Content: fmt.Appendf(nil, "root:x:0:\nmysql:x:%d:\n", mysqlUser)},
	}
	tree, err := Tree(dir, stampFile, "etc/passwd", "etc/group")
	if err != nil {
		return nil, err
	}
	// What the packages bring wins over the links, and the directories' owners over what the packages bring.
	entries = append(entries, tree...)
	return append(entries,
		Dir("dev", 0o755, 0), Dir("proc", 0o755, 0), Dir("sys", 0o755, 0), Dir("root", 0o700, 0),
		Dir("tmp", fs.ModeSticky|0o777, 0), Dir("var/tmp", fs.ModeSticky|0o777, 0),
		Dir("run", 0o755, 0), Dir("run/mysqld", 0o755, mysqlUser), Link("var/run", "/run"),
		Dir("var/lib/mysql", 0o750, mysqlUser), Dir("var/lib/mysql-files", 0o700, mysqlUser),
	), nil
}

var versionPattern = regexp.MustCompile(`\bVer (\d+\.\d+\.\d+)`)

// mysqlVersion asks the tree's mysqld, run through the tree's own loader.
func mysqlVersion(ctx context.Context, dir string) (string, error) {
	loaders, err := filepath.Glob(filepath.Join(dir, "usr/lib/*/ld-linux-*.so.*"))
	if err != nil || len(loaders) != 1 {
		return "", fmt.Errorf("find the loader in %s: found %d", dir, len(loaders))
	}
	cmd := exec.CommandContext(ctx, loaders[0], "--library-path", filepath.Dir(loaders[0]), filepath.Join(dir, "usr/sbin/mysqld"),
		"--no-defaults", "--version")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask mysqld for its version: %w: %s", err, bytes.TrimSpace(out))
	}
	found := versionPattern.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("no version in what mysqld says: %s", bytes.TrimSpace(out))
	}
	return string(found[1]), nil
}

// fingerprint digests the contents of files.
func fingerprint(files ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, recipe)
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, file)
		file.Close()
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		fmt.Fprintf(sum, "\n%s\n", filepath.Base(name))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
