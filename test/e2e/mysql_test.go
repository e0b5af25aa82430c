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

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	rootPassword = "r00t-of-e2e"
	appUser      = "wordpress"
	appPassword  = "pass-of-e2e"
	appDatabase  = "wordpress"
)

// openService opens a pool of connections, as an application has, to a Service of a cluster by its cluster IP. The server's
// certificate is verified against the cluster's own CA for the Service's name.
func openService(t *testing.T, namespace, cluster, service, user, password string) *sql.DB {
	t.Helper()
	svc, err := kube.CoreV1().Services(namespace).Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get service %s: %v", service, err)
	}
	return open(t, namespace, cluster, svc.Spec.ClusterIP, service+"."+namespace+".svc", user, password, nil)
}

// openPod opens connections to the MySQL of one pod as root.
func openPod(t *testing.T, namespace, cluster, pod string) *sql.DB {
	t.Helper()
	p, err := kube.CoreV1().Pods(namespace).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get pod %s: %v", pod, err)
	}
	name := pod + "." + cluster + "-mysql-nodes." + namespace + ".svc"
	return open(t, namespace, cluster, p.Status.PodIP, name, "root", rootPassword, nil)
}

// open opens connections to an address. change, if any, gets what is set for them.
func open(t *testing.T, namespace, cluster, address, serverName, user, password string, change func(*mysql.Config)) *sql.DB {
	t.Helper()
	secret, err := kube.CoreV1().Secrets(namespace).Get(t.Context(), cluster+"-mysql-tls", metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get the cluster's certificates: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		t.Fatal("the cluster's CA can not be read")
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = user, password, "tcp", net.JoinHostPort(address, strconv.Itoa(3306))
	c.TLS = &tls.Config{RootCAs: roots, ServerName: serverName}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 5*time.Second, 20*time.Second, 20*time.Second
	if change != nil {
		change(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetConnMaxLifetime(5 * time.Second) // follow the Service when it moves
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// query returns the first column of the first row as text.
func query(ctx context.Context, db *sql.DB, statement string, args ...any) (string, error) {
	var value sql.NullString
	if err := db.QueryRowContext(ctx, statement, args...).Scan(&value); err != nil {
		return "", fmt.Errorf("%s: %w", statement, err)
	}
	return value.String, nil
}
