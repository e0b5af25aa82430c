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

package replication

import (
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

func TestPairReplicatesWithLosslessSemiSync(t *testing.T) {
	c := newCluster(t, nil)
	primary, replica := newPair(c)

	primary.exec("CREATE TABLE app_db.t (id INT PRIMARY KEY)", "INSERT INTO app_db.t VALUES (1), (2)")
	want := primary.waitFor("the transactions to show", func(s api.State) bool { return s.GTIDExecuted != "" }).GTIDExecuted
	replica.waitFor("the transactions to be applied", func(s api.State) bool { return s.GTIDExecuted == want })
	if got := replica.query("SELECT COUNT(*) FROM app_db.t"); got != "2" {
		t.Errorf("the replica has %s rows, want 2", got)
	}
	if got := replica.query("SELECT @@global.super_read_only"); got != "1" {
		t.Errorf("super_read_only of the replica is %s", got)
	}
}
