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

package controller

import (
	"strings"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

func TestSecretThatInitialisationCannotUseIsToldBeforehand(t *testing.T) {
	for name, test := range map[string]struct {
		root, user, password, database string
		// want is part of the complaint; after tells whether it is made once the cluster is initialised, too.
		want  string
		after bool
	}{
		"complete":               {root: "r", user: "app", password: "p", database: "shop"},
		"root alone":             {root: "r"},
		"a database alone":       {root: "r", database: "shop"},
		"the longest names":      {root: "r", user: strings.Repeat("ä", 32), password: "p", database: strings.Repeat("ä", 64)},
		"an editor's line break": {root: "r", user: strings.Repeat("a", 32) + "\n", password: "p\r\n"},
		"no root":                {user: "app", password: "p", want: "lacks the key ROOT_PASSWORD", after: true},
		"root is a line break":   {root: "\n", want: "lacks the key ROOT_PASSWORD", after: true},
		"no password":            {root: "r", user: "app", want: "has the key USER but lacks PASSWORD"},
		"no user":                {root: "r", password: "p", want: "has the key PASSWORD but lacks USER, or it is empty: an account needs both, add it or remove PASSWORD"},
		"root as the user":       {root: "r", user: "root", password: "p", want: "names in the key USER an account that the cluster has anyway"},
		"a user of MySQL":        {root: "r", user: "mysql.sys", password: "p", want: "in the key USER"},
		"a user of the cluster":  {root: "r", user: "sys_agent", password: "p", want: "in the key USER"},
		"a long user":            {root: "r", user: strings.Repeat("a", 33), password: "p", want: "more than 32 characters in the key USER"},
		"a long database":        {root: "r", database: strings.Repeat("a", 65), want: "more than 64 characters in the key DATABASE"},
		"a database of MySQL":    {root: "r", database: "mysql", want: "names in the key DATABASE"},
	} {
		data := map[string][]byte{
			v1alpha1.SecretKeyRootPassword: []byte(test.root), v1alpha1.SecretKeyUser: []byte(test.user),
			v1alpha1.SecretKeyPassword: []byte(test.password), v1alpha1.SecretKeyDatabase: []byte(test.database),
		}
		got := userSecretComplaint("s", data, false)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
		if got := userSecretComplaint("s", data, true); (got != "") != test.after {
			t.Errorf("%s, once the cluster is initialised: %q", name, got)
		}
	}
}
