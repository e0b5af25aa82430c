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

package certs

import (
	"fmt"
	"time"

	"k8s.io/client-go/util/cert"
)

// Bundle joins the authorities in certPEM, which may hold several, with those in bundlePEM, so that certificates of an old authority
// stay trusted while a new one takes over. The ones in certPEM come first; doubles and those that have expired at the time now are
// left out. It fails when one of the two holds anything but certificates.
func Bundle(certPEM, bundlePEM []byte, now time.Time) ([]byte, error) {
	var out []byte
	seen := map[string]bool{}
	for _, in := range [][]byte{certPEM, bundlePEM} {
		if len(in) == 0 {
			continue
		}
		parsed, err := cert.ParseCertsPEM(in)
		if err != nil {
			return nil, fmt.Errorf("parse a bundle of certificates: %w", err)
		}
		for _, c := range parsed {
			if seen[string(c.Raw)] || !now.Before(c.NotAfter) {
				continue
			}
			seen[string(c.Raw)] = true
			out = append(out, encodeCertificate(c.Raw)...)
		}
	}
	return out, nil
}
