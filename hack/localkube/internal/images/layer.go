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

// Package images writes container images from files on this machine, without a container engine, and loads them into containerd.
package images

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Entry is one file, directory or symbolic link of a layer. Owner and time are given, never the ones of the file on this machine:
// the same content makes the same image.
type Entry struct {
	// Path is where it is in the image, without a leading slash.
	Path string
	// Mode is its type and permissions.
	Mode fs.FileMode
	// UID and GID are its owner.
	UID, GID int
	// Source is the file on this machine that holds its content; Content is the content itself, if Source is empty.
	Source  string
	Content []byte
	// Target is where a symbolic link points to.
	Target string
}

// Dir returns the entry of a directory.
func Dir(path string, perm fs.FileMode, owner int) Entry {
	return Entry{Path: path, Mode: fs.ModeDir | perm, UID: owner, GID: owner}
}

// Link returns the entry of a symbolic link.
func Link(path, target string) Entry {
	return Entry{Path: path, Mode: fs.ModeSymlink | 0o777, Target: target}
}

// Tree returns the entries of everything below a directory, except for the paths to skip, all owned by root.
func Tree(dir string, skip ...string) ([]Entry, error) {
	var entries []Entry
	dir, err := filepath.EvalSymlinks(dir) // a link to a tree elsewhere is followed; links inside are content
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	err = filepath.WalkDir(dir, func(source string, d fs.DirEntry, err error) error {
		if err != nil || source == dir {
			return err
		}
		name, err := filepath.Rel(dir, source)
		if err != nil {
			return err
		}
		if slices.Contains(skip, name) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := Entry{Path: filepath.ToSlash(name), Mode: info.Mode()}
		switch info.Mode().Type() {
		case 0:
			e.Source = source
		case fs.ModeDir:
		case fs.ModeSymlink:
			if e.Target, err = os.Readlink(source); err != nil {
				return err
			}
		default:
			return nil // sockets and devices are no content
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return entries, nil
}

// layer is an uncompressed layer, written anew from its entries each time that it is read: compressing it for a copy inside one
// machine would take longer than everything else.
type layer struct {
	entries []Entry
	digest  v1.Hash
	size    int64
}

// newLayer sorts the entries by path (a later one of the same path wins) and digests them.
func newLayer(entries []Entry) (*layer, error) {
	byPath := map[string]Entry{}
	for _, e := range entries {
		byPath[path.Clean(e.Path)] = e
	}
	for name := range byPath {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := byPath[dir]; !ok {
				byPath[dir] = Dir(dir, 0o755, 0)
			}
		}
	}
	l := &layer{}
	for name, e := range byPath {
		e.Path = name
		l.entries = append(l.entries, e)
	}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })

	sum := sha256.New()
	count := &counter{}
	if err := writeTar(io.MultiWriter(sum, count), l.entries); err != nil {
		return nil, err
	}
	l.digest = v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sum.Sum(nil))}
	l.size = count.n
	return l, nil
}

func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) Size() (int64, error)                { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return l.Uncompressed() }
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTar(w, l.entries)) }()
	return r, nil
}

func writeTar(w io.Writer, entries []Entry) error {
	out := tar.NewWriter(w)
	for _, e := range entries {
		if err := writeEntry(out, e); err != nil {
			return fmt.Errorf("write %s: %w", e.Path, err)
		}
	}
	return out.Close()
}

func writeEntry(out *tar.Writer, e Entry) error {
	header := &tar.Header{
		Name: e.Path, Mode: int64(e.Mode.Perm()), Uid: e.UID, Gid: e.GID, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	}
	for bit, mode := range map[fs.FileMode]int64{fs.ModeSticky: 0o1000, fs.ModeSetgid: 0o2000, fs.ModeSetuid: 0o4000} {
		if e.Mode&bit != 0 {
			header.Mode |= mode
		}
	}
	switch e.Mode.Type() {
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, e.Path+"/"
		return out.WriteHeader(header)
	case fs.ModeSymlink:
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.Target
		return out.WriteHeader(header)
	case 0:
	default:
		return errors.New("neither a file, a directory nor a symbolic link")
	}
	header.Typeflag = tar.TypeReg
	if e.Source == "" {
		header.Size = int64(len(e.Content))
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		_, err := out.Write(e.Content)
		return err
	}
	file, err := os.Open(e.Source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
