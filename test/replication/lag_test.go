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
	"fmt"
	"testing"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// lags tells whether a replica's lag is known and fulfils a condition.
func lags(condition func(seconds int64) bool) func(api.State) bool {
	return func(s api.State) bool {
		return running(s) && s.Replication != nil && s.Replication.LagSeconds != nil && condition(*s.Replication.LagSeconds)
	}
}

func none(seconds int64) bool { return seconds == 0 }

func atLeast(least int64) func(int64) bool {
	return func(seconds int64) bool { return seconds >= least }
}

// TestTheLagIsTheAgeOfWhatIsNotApplied: whatever keeps the applier, it grows; and it is 0 when there is nothing to apply, however long
// the primary is idle.
func TestTheLagIsTheAgeOfWhatIsNotApplied(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	primary, replica := newPair(c)
	primary.exec("CREATE TABLE app_db.t (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
	insert := func() { primary.exec("INSERT INTO app_db.t VALUES ()") }
	caughtUp := func() {
		t.Helper()
		want := gtid.MustParse(primary.query("SELECT @@global.gtid_executed"))
		replica.waitFor("everything to be applied, with no lag", func(s api.State) bool {
			return lags(none)(s) && gtid.MustParse(s.GTIDExecuted).Contains(want)
		})
	}
	caughtUp()

	// The applier waits for a client's lock. What is received meanwhile is younger, and does not count.
	locked := replica.lock("LOCK TABLES app_db.t READ")
	insert()
	for i := range 3 {
		replica.waitFor(fmt.Sprintf("a lag of %d s or more", i+1), lags(atLeast(int64(i+1))))
		insert()
	}
	locked.Close()
	caughtUp()

	// The applier does not run. The rest of what it had to do counts from its commit on, not from when the applier stopped.
	locked = replica.lock("LOCK TABLES app_db.t READ")
	insert()
	before := *replica.waitFor("a lag", lags(atLeast(2))).Replication.LagSeconds
	replica.exec("SET GLOBAL rpl_stop_replica_timeout = 2")
	stopped := replica.execAsync("STOP REPLICA SQL_THREAD")
	replica.waitFor("the applier to be told to stop", lags(atLeast(before+1)))
	locked.Close()
	if err := mustReturn(t, "STOP REPLICA", stopped); err != nil {
		t.Fatal(err)
	}
	replica.exec("START REPLICA SQL_THREAD")
	caughtUp()
	replica.exec("STOP REPLICA SQL_THREAD")
	insert()
	for i := range 3 {
		replica.waitFor(fmt.Sprintf("a lag of %d s or more while the applier does not run", i+1), lags(atLeast(int64(i+1))))
		insert()
	}
	replica.exec("START REPLICA SQL_THREAD")
	caughtUp()

	// After a restart, before anything is applied again, nobody knows.
	replica.exec("STOP REPLICA SQL_THREAD")
	insert()
	replica.waitFor("a lag", lags(atLeast(1)))
	replica.kill()
	replica.start()
	replica.waitFor("no false lag", func(s api.State) bool { return newborn(s) && s.Replication.LagSeconds == nil })
	replica.follow(1, primary)
	caughtUp()
}
