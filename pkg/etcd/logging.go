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

package etcd

import (
	"errors"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

// klogCore passes what etcd logs by zap on to our log, so that the process has one: warnings and informational entries of etcd are details
// for us, errors are errors.
type klogCore struct {
	logger klog.Logger
	fields []zapcore.Field
	// stopping is set when the server is told to stop: that its listeners then fail is no error.
	stopping *atomic.Bool
}

func newKlogCore(logger klog.Logger) *klogCore {
	return &klogCore{logger: logger, stopping: &atomic.Bool{}}
}

func verbosity(level zapcore.Level) int {
	switch level {
	case zapcore.DebugLevel:
		return 6
	case zapcore.InfoLevel:
		return 4
	case zapcore.WarnLevel:
		return 2
	default:
		return 0
	}
}

// Enabled implements zapcore.LevelEnabler.
func (c *klogCore) Enabled(level zapcore.Level) bool {
	return c.logger.V(verbosity(level)).Enabled()
}

// With implements zapcore.Core.
func (c *klogCore) With(fields []zapcore.Field) zapcore.Core {
	return &klogCore{logger: c.logger, stopping: c.stopping, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check implements zapcore.Core.
func (c *klogCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c *klogCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		field.AddTo(encoder)
	}
	values := make([]any, 0, 2*len(encoder.Fields))
	for key, value := range encoder.Fields {
		if key != "error" && key != "errorVerbose" {
			values = append(values, key, value)
		}
	}
	level := entry.Level
	if level == zapcore.ErrorLevel && c.stopping.Load() {
		level = zapcore.WarnLevel
	}
	if level < zapcore.ErrorLevel {
		if text, ok := encoder.Fields["error"]; ok {
			values = append(values, "err", text)
		}
		c.logger.V(verbosity(level)).Info(entry.Message, values...)
		return nil
	}
	var err error
	if text, ok := encoder.Fields["error"].(string); ok {
		err = errors.New(text)
	}
	c.logger.Error(err, entry.Message, values...)
	if entry.Level > zapcore.ErrorLevel {
		klog.Flush() // zap ends the process or panics after this
	}
	return nil
}

// Sync implements zapcore.Core.
func (c *klogCore) Sync() error {
	klog.Flush()
	return nil
}
