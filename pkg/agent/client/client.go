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

// Package client is how the controller talks to the agents.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
)

const (
	// DialTimeout bounds the time to connect, TLS included.
	DialTimeout = 5 * time.Second
	// SilenceLimit is how long a stream may be silent before its node is taken as gone: some heartbeats.
	SilenceLimit = 3 * api.HeartbeatInterval
)

// ErrSilent is returned by Watch when the agent stopped sending: it, its machine or the network hangs.
var ErrSilent = errors.New("the agent has stopped sending heartbeats")

// Watch calls onState with the present State of the agent at addr (host:port), and again for each State that it sends, from one
// goroutine. It returns when ctx ends, when the stream breaks (mostly: the agent's process ended), or with ErrSilent.
// Reconnecting is left to the caller, who also has to regard the time without a stream as silence.
func Watch(ctx context.Context, addr string, tlsConfig *tls.Config, onState func(api.State)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	transport := newTransport(tlsConfig)
	defer transport.CloseIdleConnections()

	// The first State has to arrive in the time for connecting on top of a heartbeat's.
	alarm := time.AfterFunc(DialTimeout+SilenceLimit, func() { cancel(ErrSilent) })
	defer alarm.Stop()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url(addr, api.StatePath), nil)
	if err != nil {
		return fmt.Errorf("watch agent %s: %w", addr, err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return watchError(ctx, addr, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("watch agent %s: %w", addr, statusError(response))
	}
	stream := json.NewDecoder(response.Body)
	for {
		var state api.State
		if err := stream.Decode(&state); err != nil {
			return watchError(ctx, addr, err)
		}
		alarm.Reset(SilenceLimit)
		onState(state)
	}
}

// watchError prefers the reason for which we ended the stream over what that looks like on the wire.
func watchError(ctx context.Context, addr string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("watch agent %s: %w", addr, err)
}

// Send sends an order and returns what became of it. An error means that the outcome is not known: the order may or may not have
// been carried out, and should be sent again. The caller bounds the time by ctx.
func Send(ctx context.Context, addr string, tlsConfig *tls.Config, order api.Order) (api.OrderResult, error) {
	transport := newTransport(tlsConfig)
	defer transport.CloseIdleConnections()

	body, err := json.Marshal(order)
	if err != nil {
		return api.OrderResult{}, fmt.Errorf("order %s to agent %s: %w", order.Kind, addr, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url(addr, api.OrderPath), bytes.NewReader(body))
	if err != nil {
		return api.OrderResult{}, fmt.Errorf("order %s to agent %s: %w", order.Kind, addr, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return api.OrderResult{}, fmt.Errorf("order %s to agent %s: %w", order.Kind, addr, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return api.OrderResult{}, fmt.Errorf("order %s to agent %s: %w", order.Kind, addr, statusError(response))
	}
	var result api.OrderResult
	if err := json.NewDecoder(response.Body).Decode(&result); err != nil {
		return api.OrderResult{}, fmt.Errorf("order %s to agent %s: %w", order.Kind, addr, err)
	}
	return result, nil
}

// newTransport makes a connection of its own for each call: a call that hangs does not hold up another one, and certificates that
// have been rotated are used at once.
func newTransport(tlsConfig *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: DialTimeout}).DialContext,
		TLSClientConfig:     tlsConfig.Clone(), // the transport changes it
		TLSHandshakeTimeout: DialTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        1,
		IdleConnTimeout:     time.Second,
	}
}

func url(addr, path string) string { return "https://" + addr + path }

func statusError(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
	return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(text))
}
