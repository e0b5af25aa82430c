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
	"os"
	"strings"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/layout"
)

// bypassProxy keeps what goes to our own addresses away from an HTTP proxy that the environment names, here and in every part.
func bypassProxy() {
	if !proxied() {
		return
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		os.Setenv(name, strings.TrimPrefix(os.Getenv(name)+","+ownNetworks(), ",")) //nolint:errcheck // the name is valid
	}
}

func proxied() bool {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

func ownNetworks() string { return layout.Network.String() + "," + layout.ServiceCIDR.String() }

// proxyAdvice is what kubectl needs in the environment besides, in a shell that uses a proxy.
func proxyAdvice() string {
	if !proxied() {
		return ""
	}
	return "NO_PROXY=$NO_PROXY," + ownNetworks() + " "
}
