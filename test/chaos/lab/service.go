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

package lab

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/workload"
	"github.com/presslabs/mysql-apiserver/test/chaos/history"
	"github.com/presslabs/mysql-apiserver/test/chaos/kubesim"
)

const killSignal = syscall.SIGKILL

// pods are the objects of the cluster's pods.
func (c *Cluster) pods() []*corev1.Pod {
	list, err := c.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: workload.Selector(c.Config.Name)})
	if err != nil {
		return nil
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		if list.Items[i].Status.PodIP != "" {
			pods = append(pods, &list.Items[i])
		}
	}
	return pods
}

// endpoint is the first pod behind a Service, as kube-proxy has it: one that is ready, or else, if all of them are ending, one that
// still serves.
func endpoint(pods []*corev1.Pod, selected func(*corev1.Pod) bool) *corev1.Pod {
	var ending *corev1.Pod
	for _, pod := range pods {
		switch {
		case !selected(pod) || !kubesim.IsReady(pod):
		case pod.DeletionTimestamp == nil:
			return pod
		default:
			ending = pod
		}
	}
	return ending
}

// PrimaryEndpoint is the pod that the Service of the primary leads to, or nil.
func (c *Cluster) PrimaryEndpoint() *corev1.Pod {
	return endpoint(c.pods(), func(pod *corev1.Pod) bool { return pod.Labels[v1alpha1.LabelRole] == v1alpha1.RoleLabelPrimary })
}

// replicaEndpoint is a node's pod if the Service of the replicas leads to it, or nil.
func (c *Cluster) replicaEndpoint(node string) *corev1.Pod {
	return endpoint(c.pods(), func(pod *corev1.Pod) bool {
		return pod.Name == node && pod.Labels[v1alpha1.LabelRole] == v1alpha1.RoleLabelReplica && pod.Labels[v1alpha1.LabelHealthy] == "yes"
	})
}

// connect opens one connection to a pod's MySQL, as the application.
func (c *Cluster) connect(ctx context.Context, pod *corev1.Pod) (*conn, error) {
	secret, err := c.secret(workload.TLSSecretName(c.Config.Name))
	if err != nil {
		return nil, err
	}
	return connect(ctx, c.lab.Clients, server{
		node: pod.Name, address: net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(api.MySQLPort)),
		ca: secret[workload.CACertKey], name: workload.PrimaryServiceName(c.Config.Name), user: appUser, password: appPassword, database: database,
	})
}

// Errors by which the server says that it did not do what it was asked for.
const (
	errReadOnlyOption = 1290
	errReadOnlyMode   = 1836
	errNoTable        = 1146
	errNoDatabase     = 1049
)

// outcome is what a client knows of a write that ended with an error.
func outcome(err error) history.Outcome {
	if err == nil {
		return history.Acked
	}
	// The driver says so only where nothing was sent.
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return history.Failed
	}
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		switch refused.Number {
		case errReadOnlyOption, errReadOnlyMode, errNoTable, errNoDatabase:
			return history.Failed
		}
	}
	return history.Unknown
}

// Prepare makes the clients' tables.
func (c *Cluster) Prepare(ctx context.Context) error {
	pod := c.PrimaryEndpoint()
	if pod == nil {
		return errors.New("the Service of the primary leads nowhere")
	}
	conn, err := c.connect(ctx, pod)
	if err != nil {
		return err
	}
	defer conn.close()
	return conn.exec(ctx, tables...)
}

// tables are what clients write to.
var tables = []string{
	"CREATE TABLE rows_of (id BIGINT AUTO_INCREMENT PRIMARY KEY, writer INT NOT NULL, seq BIGINT NOT NULL, KEY (writer, seq))",
	"CREATE TABLE registers (writer INT PRIMARY KEY, value BIGINT NOT NULL)",
}

// Finals reads all of every node, once they have caught up with each other.
func (c *Cluster) Finals(ctx context.Context) ([]history.Final, error) {
	ctx, cancel := within(ctx, time.Minute)
	defer cancel()
	for {
		finals, err := c.finals(ctx)
		if err != nil {
			return nil, err
		}
		same := true
		for _, f := range finals {
			same = same && f.GTIDs == finals[0].GTIDs
		}
		if same {
			return finals, nil
		}
		select {
		case <-ctx.Done():
			return finals, nil // the checker says what differs
		case <-time.After(100 * time.Millisecond): // replication tells nobody when it is done
		}
	}
}

func (c *Cluster) finals(ctx context.Context) ([]history.Final, error) {
	primary := c.PrimaryEndpoint()
	var finals []history.Final
	pods := c.pods()
	if len(pods) != c.Config.Replicas {
		return nil, fmt.Errorf("there are %d pods", len(pods))
	}
	for _, pod := range pods {
		f, err := c.final(ctx, pod)
		if err != nil {
			return nil, fmt.Errorf("read all of %s: %w", pod.Name, err)
		}
		f.Primary = primary != nil && primary.Name == pod.Name
		finals = append(finals, f)
	}
	return finals, nil
}

func (c *Cluster) final(ctx context.Context, pod *corev1.Pod) (history.Final, error) {
	f := history.Final{Node: pod.Name, Rows: map[history.Row]int{}, Registers: map[int]int64{}}
	conn, err := c.connect(ctx, pod)
	if err != nil {
		return f, err
	}
	defer conn.close()
	if err := conn.QueryRowContext(ctx, "SELECT @@global.gtid_executed").Scan(&f.GTIDs); err != nil {
		return f, err
	}
	rows, err := conn.QueryContext(ctx, "SELECT writer, seq, COUNT(*) FROM rows_of GROUP BY writer, seq")
	if err != nil {
		return f, err
	}
	defer rows.Close()
	for rows.Next() {
		var row history.Row
		var n int
		if err := rows.Scan(&row.Writer, &row.Seq, &n); err != nil {
			return f, err
		}
		f.Rows[row] = n
	}
	if err := rows.Err(); err != nil {
		return f, err
	}
	registers, err := conn.QueryContext(ctx, "SELECT writer, value FROM registers")
	if err != nil {
		return f, err
	}
	defer registers.Close()
	for registers.Next() {
		var writer int
		var value int64
		if err := registers.Scan(&writer, &value); err != nil {
			return f, err
		}
		f.Registers[writer] = value
	}
	return f, registers.Err()
}
