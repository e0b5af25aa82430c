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

package kubectlmysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/kubectlmysql/render"
)

func (r *request) follower() *follower {
	return &follower{clusters: r.clusters, name: r.name, lost: r.tellOutage}
}

// await shows the progress of a recorded operation until it has ended.
func (r *request) await(ctx context.Context, o *v1alpha1.MysqlClusterOperation) error {
	if r.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.timeout, errTimeout)
		defer cancel()
	}
	w := &waiting{plugin: r.plugin, operation: o, progress: render.Progress{Style: r.style()}}
	f := r.follower()
	f.see = w.see
	if r.drawn() {
		ticker := time.NewTicker(100 * time.Millisecond) // the clock runs
		defer ticker.Stop()
		f.ticks = ticker.C
	}
	w.show()
	err := f.run(ctx, false)
	w.clear()
	switch {
	case errors.Is(err, errTimeout):
		r.complain("Not seen to its end within --timeout=%s: it goes on. See: %s status %s -n %s --watch", r.timeout, program, r.name, r.namespace)
		return errTold
	case errors.Is(err, context.Canceled):
		r.complain("No longer waited for: it goes on. See: %s status %s -n %s --watch", program, r.name, r.namespace)
		return errTold
	case err != nil:
		return err
	}
	r.print(render.Outcome(w.operation, r.style()))
	if w.operation.Outcome != v1alpha1.OperationSucceeded {
		return errTold
	}
	return nil
}

// waiting is the progress of an operation on the screen.
type waiting struct {
	*plugin
	operation *v1alpha1.MysqlClusterOperation
	// note tells what is waited for.
	note     string
	progress render.Progress
}

func (w *waiting) see(cluster *v1alpha1.MysqlCluster) (bool, error) {
	o := findOperation(cluster, w.operation.UID)
	if o == nil {
		return false, fmt.Errorf("the operation %s is not recorded any more: how it ended is not known", w.operation.UID)
	}
	w.operation, w.note = o, ""
	if o.Outcome == "" {
		w.note = o.Message
		if w.note == "" && o.Phase != v1alpha1.OperationRequested {
			w.note = cluster.Status.Phase
		}
	}
	w.show()
	return o.Outcome != "", nil
}

// show prints what is new, and on a terminal a clock below it.
func (w *waiting) show() {
	news := w.progress.News(w.operation, w.note)
	if news != "" {
		w.clear()
		w.print(news)
	}
	if w.drawn() && w.operation.Outcome == "" {
		w.print("\r" + w.progress.Clock(w.operation, w.Now()) + eraseLine)
	}
}

// clear removes the clock.
func (w *waiting) clear() {
	if w.drawn() {
		w.print("\r" + eraseLine)
	}
}

// findOperation returns the operation of that UID, under way or ended; nil if there is none.
func findOperation(cluster *v1alpha1.MysqlCluster, uid types.UID) *v1alpha1.MysqlClusterOperation {
	if o := cluster.Status.Operation; o != nil && o.UID == uid {
		return o
	}
	for i := range cluster.Status.LastFailovers {
		if o := &cluster.Status.LastFailovers[i]; o.UID == uid {
			return o
		}
	}
	return nil
}
