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
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	containerd "github.com/containerd/containerd/v2/client"
	coreimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Labels of images in containerd. A pinned image is never collected by the kubelet, which could not pull it again.
const (
	pinnedLabel      = "io.cri-containerd.pinned"
	familyLabel      = "localkube/family"
	fingerprintLabel = "localkube/fingerprint"
)

// keep is how many versions of an image are kept: pods that run an older one must be able to restart.
const keep = 10

// Loader loads images into containerd.
type Loader struct {
	client      *containerd.Client
	snapshotter string
}

// NewLoader connects to containerd's socket.
func NewLoader(socket, snapshotter string) (*Loader, error) {
	client, err := containerd.New(socket, containerd.WithDefaultNamespace("k8s.io"))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	return &Loader{client: client, snapshotter: snapshotter}, nil
}

// Close ends the connection.
func (l *Loader) Close() error { return l.client.Close() }

// Ensure loads an image unless it is there with the same fingerprint under all its names.
func (l *Loader) Ensure(ctx context.Context, image Image) (loaded bool, err error) {
	ctx = namespaces.WithNamespace(ctx, "k8s.io")
	full, err := fullNames(image.Names)
	if err != nil {
		return false, err
	}
	present, err := l.present(ctx, full, image.Fingerprint)
	if err != nil || present {
		return false, err
	}
	entries, err := image.entries()
	if err != nil {
		return false, fmt.Errorf("make the image %s: %w", image.Names[0], err)
	}
	built, err := build(entries, image.config)
	if err != nil {
		return false, fmt.Errorf("make the image %s: %w", image.Names[0], err)
	}
	if err := l.load(ctx, image, full, built); err != nil {
		return false, fmt.Errorf("load the image %s: %w", image.Names[0], err)
	}
	return true, l.prune(ctx, image.Family)
}

func (l *Loader) present(ctx context.Context, full []string, fingerprint string) (bool, error) {
	all, err := l.client.ImageService().List(ctx)
	if err != nil {
		return false, fmt.Errorf("list the images: %w", err)
	}
	for _, want := range full {
		if !slices.ContainsFunc(all, func(have coreimages.Image) bool {
			return have.Name == want && have.Labels[fingerprintLabel] == fingerprint
		}) {
			return false, nil
		}
	}
	return true, nil
}

// load streams the image as an archive: no copy of it is kept on the disk besides containerd's. The fingerprint is set last.
func (l *Loader) load(ctx context.Context, image Image, full []string, built v1.Image) error {
	archive := map[name.Reference]v1.Image{}
	for _, n := range image.Names {
		tag, err := name.NewTag(n)
		if err != nil {
			return err
		}
		archive[tag] = built
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.MultiRefWrite(archive, w)) }()
	imported, err := l.client.Import(ctx, r)
	r.CloseWithError(err)
	if err != nil {
		return err
	}
	if len(imported) == 0 {
		return errors.New("containerd found no image in the archive")
	}
	if err := containerd.NewImage(l.client, imported[0]).Unpack(ctx, l.snapshotter); err != nil {
		return err
	}
	labels := map[string]string{pinnedLabel: "pinned", familyLabel: image.Family, fingerprintLabel: image.Fingerprint}
	var fields []string
	for label := range labels { // one by one, because the kubelet's side of containerd sets labels of its own
		fields = append(fields, "labels."+label)
	}
	for _, n := range full {
		want := coreimages.Image{Name: n, Labels: labels}
		if _, err := l.client.ImageService().Update(ctx, want, fields...); err != nil {
			return err
		}
	}
	return nil
}

// prune removes all but the newest versions of an image.
func (l *Loader) prune(ctx context.Context, family string) error {
	all, err := l.client.ImageService().List(ctx, fmt.Sprintf("labels.%q==%q", familyLabel, family))
	if err != nil {
		return fmt.Errorf("list the images: %w", err)
	}
	slices.SortFunc(all, func(a, b coreimages.Image) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	for _, old := range all[min(keep, len(all)):] {
		if err := l.client.ImageService().Delete(ctx, old.Name); err != nil {
			return fmt.Errorf("remove the image %s: %w", old.Name, err)
		}
	}
	return nil
}

// fullNames returns the references as containerd and the kubelet know them, with everything that a manifest may leave out.
func fullNames(short []string) ([]string, error) {
	var full []string
	for _, s := range short {
		named, err := reference.ParseNormalizedNamed(s)
		if err != nil {
			return nil, fmt.Errorf("image name %q: %w", s, err)
		}
		full = append(full, named.String())
	}
	return full, nil
}
