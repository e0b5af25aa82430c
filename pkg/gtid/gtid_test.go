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

package gtid

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

const (
	a = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	b = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
)

func TestParseReadsWhatMySQLWrites(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{" \n,, ", ""},
		{a + ":1", a + ":1"},
		{a + ":1-1", a + ":1"},
		{strings.ToUpper(a) + ":1-5:7", a + ":1-5:7"},
		{strings.ReplaceAll(a, "-", "") + ":3", a + ":3"},
		{a + ":7:1-5:6", a + ":1-7"},
		{a + ":5-9:1-6", a + ":1-9"},
		{b + ":1,\n" + a + ":1-2,\n" + a + ":9", a + ":1-2:9," + b + ":1"},
		{a + ":5-4", ""},
		{a + ":1-0", ""},
		{a, ""},
		{a + ":tag", ""},
		{a + ":tag:other:1", a + ":other:1"},
		{"{" + a + "}:1", a + ":1"},
		{a + ":1-3:Tag_1:4:2:9-8,\n" + a + ":other:1", a + ":1-3:other:1:tag_1:2:4"},
		{a + ":zed:1-2:alpha:3", a + ":alpha:3:zed:1-2"},
		{a + ":_:1", a + ":_:1"},
		{a + ":1-9223372036854775806", a + ":1-9223372036854775806"},
	}
	for _, test := range tests {
		got, err := Parse(test.text)
		if err != nil || got.String() != test.want {
			t.Errorf("Parse(%q) = %q, %v, want %q", test.text, got, err, test.want)
		}
	}
}

func TestParseRefusesWhatIsNoSet(t *testing.T) {
	for _, text := range []string{
		"x", a + ":", a + ":0", a + ":0-1", a + ":1-", a + ":-1", a + ":1-2-3", a + ":+1", a + ":9223372036854775807", a + ":18446744073709551617",
		a + ":tag:", a + ":1:ta-g:1", "{" + a + ":1", a + ":" + strings.Repeat("t", 33) + ":1", a[1:] + ":1",
		strings.Replace(a, "-", "", 1) + ":1", a + "::1", a + ":1;" + b + ":1", a + ":täg:1",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", text, got)
		}
	}
}

func TestSetOperations(t *testing.T) {
	tests := []struct{ x, y, union, difference string }{
		{"", "", "", ""},
		{a + ":1-5", "", a + ":1-5", a + ":1-5"},
		{"", a + ":1-5", a + ":1-5", ""},
		{a + ":1-10", a + ":3:5-6", a + ":1-10", a + ":1-2:4:7-10"},
		{a + ":1-3:7-9", a + ":2-8", a + ":1-9", a + ":1:9"},
		{a + ":1-3", a + ":4-6", a + ":1-6", a + ":1-3"},
		{a + ":1-3", b + ":1-3", a + ":1-3," + b + ":1-3", a + ":1-3"},
		{a + ":1-3," + b + ":1", a + ":1-3", a + ":1-3," + b + ":1", b + ":1"},
		{a + ":1-3:tag:1-3", a + ":tag:2", a + ":1-3:tag:1-3", a + ":1-3:tag:1:3"},
		{a + ":1-9223372036854775806", a + ":9223372036854775806", a + ":1-9223372036854775806", a + ":1-9223372036854775805"},
		{a + ":1-2:5-6:9-10", a + ":2-9", a + ":1-10", a + ":1:10"},
	}
	for _, test := range tests {
		x, y := MustParse(test.x), MustParse(test.y)
		if got := x.Union(y).String(); got != test.union {
			t.Errorf("%q ∪ %q = %q, want %q", test.x, test.y, got, test.union)
		}
		if got := x.Subtract(y).String(); got != test.difference {
			t.Errorf("%q − %q = %q, want %q", test.x, test.y, got, test.difference)
		}
		if x.String() != test.x || y.String() != test.y {
			t.Errorf("the operands have changed: %q, %q, were %q, %q", x, y, test.x, test.y)
		}
		if got, want := x.Contains(y), test.union == test.x; got != want {
			t.Errorf("%q contains %q: %t, want %t", test.x, test.y, got, want)
		}
	}
}

func TestCountSaturates(t *testing.T) {
	for text, want := range map[string]uint64{
		"": 0, a + ":1-5:7," + b + ":t:2": 7, a + ":1-9223372036854775806": math.MaxInt64 - 1,
		a + ":1-9223372036854775806:t:1-9223372036854775806:u:1-9223372036854775806": math.MaxUint64,
	} {
		if got := MustParse(text).Count(); got != want {
			t.Errorf("Count of %q = %d, want %d", text, got, want)
		}
	}
}

// model is a set that is so simple that it is right.
type model map[string]bool

const modelNumbers = 12

func randomSet(r *rand.Rand) (Set, model) {
	m := model{}
	var parts []string
	for range r.IntN(8) {
		name := []string{a, b, a + ":tag", b + ":tag"}[r.IntN(4)]
		first := 1 + r.IntN(modelNumbers)
		last := min(first+r.IntN(4), modelNumbers)
		parts = append(parts, name+":"+strconv.Itoa(first)+"-"+strconv.Itoa(last))
		for n := first; n <= last; n++ {
			m[name+":"+strconv.Itoa(n)] = true
		}
	}
	return MustParse(strings.Join(parts, ",")), m
}

func (m model) equals(t *testing.T, s Set) bool {
	t.Helper()
	if uint64(len(m)) != s.Count() || s.IsEmpty() != (len(m) == 0) {
		return false
	}
	for gtid := range m {
		if !s.Contains(MustParse(gtid)) {
			return false
		}
	}
	return true
}

func TestOperationsAgreeWithASimpleModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		x, mx := randomSet(r)
		y, my := randomSet(r)
		union, difference, subset := model{}, model{}, true
		for g := range mx {
			union[g] = true
			if !my[g] {
				difference[g] = true
			}
		}
		for g := range my {
			union[g] = true
			subset = subset && mx[g]
		}
		if !mx.equals(t, x) || !union.equals(t, x.Union(y)) || !difference.equals(t, x.Subtract(y)) || x.Contains(y) != subset {
			t.Fatalf("wrong for %q and %q: union %q, difference %q, contains %t", x, y, x.Union(y), x.Subtract(y), x.Contains(y))
		}
		if !x.Union(y).Equal(y.Union(x)) || x.Equal(y) != (x.Contains(y) && y.Contains(x)) {
			t.Fatalf("Equal is wrong for %q and %q", x, y)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", a + ":1-5:7", a + ":tag:1," + b + ":3-2", a + ":1:1:1-9223372036854775806", ":::,,--"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(set.String())
		if err != nil || !again.Equal(set) || again.String() != set.String() {
			t.Fatalf("Parse(%q) = %q, which reads back as %q, %v", text, set, again, err)
		}
		if !set.Subtract(set).IsEmpty() || !set.Union(set).Equal(set) || !set.Contains(set) {
			t.Fatalf("%q does not agree with itself", set)
		}
	})
}
