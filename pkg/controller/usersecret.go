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
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// The longest names that MySQL takes, in characters.
const (
	maxUserLength     = 32
	maxDatabaseLength = 64
)

// systemDatabases exist in each server.
var systemDatabases = []string{"information_schema", "mysql", "performance_schema", "sys"}

// checkUserSecret says what is wrong with the Secret that the user has to provide.
func (c *Controller) checkUserSecret(ctx context.Context, cluster *v1alpha1.MysqlCluster) (string, error) {
	name := cluster.Spec.SecretName
	secret, err := c.Kube.CoreV1().Secrets(cluster.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Sprintf("the Secret %s does not exist in namespace %s: create it with the key %s (and %s, %s and %s for an application's account)", name,
			cluster.Namespace, v1alpha1.SecretKeyRootPassword, v1alpha1.SecretKeyUser, v1alpha1.SecretKeyPassword, v1alpha1.SecretKeyDatabase), nil
	}
	if err != nil {
		return "", fmt.Errorf("get the Secret %s: %w", name, err)
	}
	return userSecretComplaint(name, secret.Data, cluster.Status.InitializedAt != nil), nil
}

// userSecretComplaint says what is wrong with the data of the user's Secret, and what to do; empty if they will do. Values are never told.
// Once the cluster is initialised, nothing but root's password is read any more.
func userSecretComplaint(name string, data map[string][]byte, initialized bool) string {
	value := func(key string) string { return strings.TrimRight(string(data[key]), "\r\n") }
	user, password, database := value(v1alpha1.SecretKeyUser), value(v1alpha1.SecretKeyPassword), value(v1alpha1.SecretKeyDatabase)
	complain := func(format string, args ...any) string {
		return "the Secret " + name + " " + fmt.Sprintf(format, args...)
	}
	switch {
	case value(v1alpha1.SecretKeyRootPassword) == "":
		return complain("lacks the key %s, or it is empty: add it", v1alpha1.SecretKeyRootPassword)
	case initialized:
		return ""
	case user != "" && password == "":
		return complain("has the key %s but lacks %s, or it is empty: an account needs both, add it", v1alpha1.SecretKeyUser, v1alpha1.SecretKeyPassword)
	case user == "" && password != "":
		return complain("has the key %s but lacks %s, or it is empty: an account needs both, add it or remove %[1]s", v1alpha1.SecretKeyPassword, v1alpha1.SecretKeyUser)
	case reservedAccount(user):
		return complain("names in the key %s an account that the cluster has anyway (root, mysql.* and sys_*): choose another name", v1alpha1.SecretKeyUser)
	case utf8.RuneCountInString(user) > maxUserLength:
		return complain("has a name of more than %d characters in the key %s, which MySQL does not take: choose a shorter one", maxUserLength, v1alpha1.SecretKeyUser)
	case slices.Contains(systemDatabases, database):
		return complain("names in the key %s a database that MySQL has anyway: choose another name", v1alpha1.SecretKeyDatabase)
	case utf8.RuneCountInString(database) > maxDatabaseLength:
		return complain("has a name of more than %d characters in the key %s, which MySQL does not take: choose a shorter one", maxDatabaseLength, v1alpha1.SecretKeyDatabase)
	}
	return ""
}

// reservedAccount tells whether the agent will make no account of that name from the Secret.
func reservedAccount(user string) bool {
	return user == "root" || strings.HasPrefix(user, "mysql.") || strings.HasPrefix(user, "sys_")
}
