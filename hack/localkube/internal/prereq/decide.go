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
	"fmt"
	"slices"
	"strings"
)

// maxSocketPath is what the kernel takes as the path of a socket, in bytes.
const maxSocketPath = 107

// minFree is the space below which the kubelet would soon evict everything.
const minFree = 3 << 30

// Plan is what follows from what was found.
type Plan struct {
	// Install are Debian packages to install.
	Install []string
	// Refusals are what cannot be mended from here: each a sentence with its remedy.
	Refusals []string
	// Snapshotter is the way in which containerd keeps images' layers.
	Snapshotter string
	// Notes tell of what works, but not as well as elsewhere.
	Notes []string
}

// Decide says what to do about a machine.
func Decide(m Machine) Plan {
	p := Plan{Snapshotter: "overlayfs"}
	refuse := func(format string, args ...any) { p.Refusals = append(p.Refusals, fmt.Sprintf(format, args...)) }

	if len(m.MissingBinaries) > 0 {
		refuse("These programs are not built yet: %s. Build them with: make kube-binaries", strings.Join(m.MissingBinaries, ", "))
	}
	if !m.Root {
		refuse("It needs root, because containers, their network and their mounts do: run it as root (sudo env \"PATH=$PATH\" make up). " +
			"As an ordinary user, make run and make test need neither.")
	}
	packages, what := packagesFor(m.MissingTools)
	switch {
	case len(packages) == 0:
	case m.Root && m.Apt:
		p.Install = packages
	case m.Apt:
		refuse("Missing: %s. Install them with: sudo apt-get install %s", what, strings.Join(packages, " "))
	default:
		refuse("Missing: %s. There is no apt-get to install them with: use Debian, or install what your distribution has in place of "+
			"Debian's packages %s.", what, strings.Join(packages, ", "))
	}
	if len(m.MissingCapabilities) > 0 {
		refuse("This root lacks %s: it is probably a container's. Start the container as a privileged one, or use a machine of its own.",
			strings.Join(m.MissingCapabilities, ", "))
	}
	if m.CgroupError != nil {
		refuse("Control groups cannot be used (%v). In a container, start it as a privileged one.", m.CgroupError)
	} else if len(m.MissingControllers) > 0 {
		refuse("The kernel's control groups lack the controllers %s: mount them, or enable them in the kernel's command line.",
			strings.Join(m.MissingControllers, ", "))
	}
	if m.SysctlError != nil {
		refuse("Kernel settings in /proc/sys cannot be changed (%v). In a container, start it as a privileged one.", m.SysctlError)
	}
	if m.OtherOwner != "" {
		refuse("Another local Kubernetes runs on this machine, from %s. Stop it first: make down, in that repository.", m.OtherOwner)
	} else if m.Conflict != "" {
		refuse("This machine already uses the network %s, which overlaps with the local Kubernetes' addresses.", m.Conflict)
	}
	if len(m.SocketPath) > maxSocketPath {
		refuse("The directory's path is too long: a socket would be at %s (%d bytes; the kernel takes %d). Clone the repository to a shorter path.",
			m.SocketPath, len(m.SocketPath), maxSocketPath)
	}
	if m.Root && m.FreeBytes < minFree {
		refuse("Only %.1f GiB are free on the disk; it takes %d.", float64(m.FreeBytes)/(1<<30), minFree>>30)
	}
	if !m.Overlay {
		p.Snapshotter = "native"
		if m.Root {
			p.Notes = append(p.Notes, "overlayfs does not work here: images are copied for each container, which takes longer and more space")
		}
	}
	return p
}

func packagesFor(tools []Tool) (packages []string, what string) {
	var described []string
	for _, tool := range tools {
		described = append(described, fmt.Sprintf("%s (%s)", tool.Name, tool.Purpose))
		if !slices.Contains(packages, tool.Package) {
			packages = append(packages, tool.Package)
		}
	}
	return packages, strings.Join(described, ", ")
}
