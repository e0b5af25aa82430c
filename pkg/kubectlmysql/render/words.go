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

package render

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/gtid"
)

// seconds is a short duration, as precise as it is of interest.
func seconds(d time.Duration) string {
	switch {
	case d < 0:
		return "0.000s" // two clocks
	case d < 10*time.Second:
		return fmt.Sprintf("%.3fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	default:
		return duration.HumanDuration(d)
	}
}

// age is how long ago something was, or has been.
func age(now, then time.Time) string {
	return duration.HumanDuration(max(0, now.Sub(then)))
}

// count is a number of things.
func count(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// change names a change of the primary: "forced failover foo-mysql-0 → foo-mysql-1".
func change(o *v1alpha1.MysqlClusterOperation) string {
	kind := strings.ToLower(string(o.Type))
	if o.Mode == v1alpha1.FailoverForced {
		kind = "forced " + kind
	}
	text := kind + " " + orElse(o.From, "?") + " → " + orElse(o.To, "?")
	if len(o.Via) > 0 {
		text += " (via " + strings.Join(o.Via, ", ") + ")"
	}
	return text
}

// origin tells who wanted it, and why.
func origin(o *v1alpha1.MysqlClusterOperation) string {
	text := "by " + orElse(o.RequestedBy, "the controller")
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// givenUp tells which transactions were given up, or are; empty if none are known of.
func givenUp(gtids string) string {
	if gtids == "" {
		return ""
	}
	set, err := gtid.Parse(gtids)
	if err != nil {
		return gtids
	}
	return count(set.Count(), "transaction") + ": " + gtids
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// upperFirst begins a sentence.
func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
