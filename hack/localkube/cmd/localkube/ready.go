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
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/presslabs/mysql-apiserver/hack/localkube/internal/process"
)

// partError is the failure of a part, whose log tells more.
type partError struct {
	part, log string
	cause     error
}

func (e *partError) Error() string { return fmt.Sprintf("%s: %v", e.part, e.cause) }
func (e *partError) Unwrap() error { return e.cause }

// untilReady asks again and again until ready returns nil. It fails at once when one of the processes ends, and blames the first of
// them when the time is over. There is no event for the moment in which a server begins to serve.
func untilReady(ctx context.Context, limit time.Duration, ready func(context.Context) error, processes ...*process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ended := make(chan *process.Process, len(processes))
	for _, p := range processes {
		go func() {
			select {
			case <-p.Done:
				ended <- p
			case <-ctx.Done():
			}
		}()
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	last := fmt.Errorf("not asked yet")
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ready(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case p := <-ended:
			return &partError{part: p.Name, log: p.Log, cause: fmt.Errorf("it ended by itself")}
		case <-ctx.Done():
			return &partError{part: processes[0].Name, log: processes[0].Log,
				cause: fmt.Errorf("not ready after %s: %w", limit, last)}
		case <-ticker.C:
		}
	}
}

// answers returns nil if a URL answers 200.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, answer.Status)
		}
		return nil
	}
}
