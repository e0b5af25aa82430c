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

package agent

import (
	"context"
	"strings"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

const (
	// spaceInterval is how often the volume is asked for its space, in addition to when mysqld complains.
	spaceInterval = time.Second
	// leastSpace is the least that a volume may have available, as a part of its size within these bounds, until it counts as full. MySQL
	// needs some to work at all: temporary tables, the next binary log.
	leastSpacePart = 100
	leastSpace     = int64(32) << 20
	mostLeastSpace = int64(1) << 30
)

// watchSpace reports when the volume is full, until ctx ends. It has a goroutine of its own, because a volume that hangs does not answer.
func (a *Agent) watchSpace(ctx context.Context) {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		available, size, err := a.volume.Space()
		if err != nil {
			a.log.Warn("the space of the volume is not known", "error", err)
		} else {
			a.reportSpace(available, size)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.complaint:
		}
	}
}

func (a *Agent) reportSpace(available, size int64) {
	before := a.board.peek().VolumeFull
	full := isFull(available, size, before)
	if full == before {
		return
	}
	a.board.update(func(s *api.State) { s.VolumeFull = full })
	if full {
		a.log.Error("the volume is full", "availableBytes", available, "sizeBytes", size)
	} else {
		a.log.Info("the volume has space again", "availableBytes", available, "sizeBytes", size)
	}
}

// isFull tells whether a volume counts as full. One that was has to get twice the space back.
func isFull(available, size int64, was bool) bool {
	least := max(leastSpace, min(size/leastSpacePart, mostLeastSpace))
	if was {
		least *= 2
	}
	return available < least
}

// complainsOfSpace tells whether a line of mysqld's log says that it waits for space.
func complainsOfSpace(line string) bool {
	return strings.Contains(line, "isk is full") || strings.Contains(line, "No space left on device")
}
