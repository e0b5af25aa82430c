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

package validation

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// valid returns a cluster that nothing is wrong with, as it is after defaulting, with changes.
func valid(changes ...func(*mysql.MysqlCluster)) *mysql.MysqlCluster {
	cluster := &mysql.MysqlCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "default"},
		Spec: mysql.MysqlClusterSpec{
			Replicas:       ptr.To[int32](3),
			SecretName:     "the-secret",
			MysqlVersion:   "8.4",
			ServerIDOffset: ptr.To[int32](100),
			VolumeSpec:     mysql.VolumeSpec{PersistentVolumeClaim: claim("1Gi")},
		},
	}
	for _, change := range changes {
		change(cluster)
	}
	return cluster
}

func claim(size string) *corev1.PersistentVolumeClaimSpec {
	return &corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}},
	}
}

// problem is an error of a type at a field whose detail contains a text.
func problem(errorType field.ErrorType, path, detail string) *field.Error {
	return &field.Error{Type: errorType, Field: path, Detail: detail}
}

var byTypeFieldAndDetail = field.ErrorMatcher{}.ByType().ByField().ByDetailSubstring()

// rule is one case of the tables: a valid cluster with one change, and what is wrong with it then.
type rule struct {
	change func(*mysql.MysqlCluster)
	want   field.ErrorList
}

// checkRules judges each changed cluster as a new one, and as an update of itself: what is there already is never refused.
func checkRules(t *testing.T, rules map[string]rule) {
	t.Helper()
	for name, tc := range rules {
		t.Run(name, func(t *testing.T) {
			byTypeFieldAndDetail.Test(t, tc.want, ValidateMysqlCluster(valid(tc.change), mysqlversion.Builtin()))
			before, after := valid(tc.change), valid(tc.change)
			before.ResourceVersion, after.ResourceVersion = "1", "1"
			after.Spec.SecretName = "another"
			if errs := ValidateMysqlClusterUpdate(after, before, mysqlversion.Builtin()); after.Spec.MysqlVersion != "" && len(errs) > 0 {
				t.Errorf("an update that leaves this alone is refused: %v", errs)
			}
		})
	}
}

func TestValidateMysqlCluster(t *testing.T) {
	const conf, sql = "spec.mysqlConf", "spec.initFileExtraSQL"
	set := func(name, value string) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) {
			c.Spec.MysqlConf = map[string]intstr.IntOrString{name: intstr.FromString(value)}
		}
	}
	minAvailable := func(value intstr.IntOrString, replicas int32) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { c.Spec.MinAvailable, c.Spec.Replicas = &value, &replicas }
	}
	statement := func(s string) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { c.Spec.InitFileExtraSQL = []string{"SELECT 1", s} }
	}
	image := func(s string) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { c.Spec.Image = s }
	}
	wrongImage := field.ErrorList{problem(field.ErrorTypeInvalid, "spec.image", "is not the name of an image")}

	checkRules(t, map[string]rule{
		"nothing wrong": {change: func(*mysql.MysqlCluster) {}},
		"longest name":  {change: func(c *mysql.MysqlCluster) { c.Name = strings.Repeat("a", 46) }},
		"name too long": {
			func(c *mysql.MysqlCluster) { c.Name = strings.Repeat("a", 47) },
			field.ErrorList{problem(field.ErrorTypeInvalid, "metadata.name", "no more than 46 characters, because")},
		},
		"name that starts with a digit": {
			func(c *mysql.MysqlCluster) { c.Name = "1a" },
			field.ErrorList{problem(field.ErrorTypeInvalid, "metadata.name", "DNS-1035")},
		},
		"name with a dot": {
			func(c *mysql.MysqlCluster) { c.Name = "a.b" },
			field.ErrorList{problem(field.ErrorTypeInvalid, "metadata.name", "DNS-1035")},
		},
		"no version": {
			func(c *mysql.MysqlCluster) { c.Spec.MysqlVersion = "" },
			field.ErrorList{problem(field.ErrorTypeRequired, "spec.mysqlVersion", "")},
		},
		"unknown version": {
			func(c *mysql.MysqlCluster) { c.Spec.MysqlVersion = "5.7" },
			field.ErrorList{problem(field.ErrorTypeNotSupported, "spec.mysqlVersion", `"8.0", "8.4", "9.7"`)},
		},

		"image":                   {change: image("percona/percona-server:8.4")},
		"image without a path":    {change: image("mysql")},
		"image by digest":         {change: image("localhost:5000/a/b__c.d:v1@sha256:" + strings.Repeat("0f", 32))},
		"image with a blank":      {image("mysql :8"), wrongImage},
		"image with a newline":    {image("mysql\n"), wrongImage},
		"image in capitals":       {image("MySQL"), wrongImage},
		"image with two tags":     {image("mysql:8:4"), wrongImage},
		"image as an URL":         {image("https://registry.example/mysql"), wrongImage},
		"image without a name":    {image(":8.4"), wrongImage},
		"image, digest too short": {image("mysql@sha256:00"), wrongImage},

		"minAvailable, all nodes":             {change: minAvailable(intstr.FromInt32(3), 3)},
		"minAvailable, none":                  {change: minAvailable(intstr.FromInt32(0), 3)},
		"minAvailable, a share":               {change: minAvailable(intstr.FromString("50%"), 3)},
		"minAvailable, 100% of stopped nodes": {change: minAvailable(intstr.FromString("100%"), 0)},
		"minAvailable, 1 of stopped nodes":    {change: minAvailable(intstr.FromInt32(1), 0)},
		"minAvailable, negative": {minAvailable(intstr.FromInt32(-1), 3),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", "0 or more")}},
		"minAvailable, more than there are": {minAvailable(intstr.FromInt32(4), 3),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", "more than the 3 nodes")}},
		"minAvailable, 101%": {minAvailable(intstr.FromString("101%"), 3),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", "more than the 3 nodes")}},
		"minAvailable, 101% of stopped nodes": {minAvailable(intstr.FromString("101%"), 0),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", "100% or less")}},
		"minAvailable, share beyond numbers": {minAvailable(intstr.FromString("99999999999999999999%"), 3),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", "")}},
		"minAvailable, a number as a text": {minAvailable(intstr.FromString("2"), 3),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", `such as 1, or a share of them, such as "50%"`)}},
		"minAvailable, negative share": {minAvailable(intstr.FromString("-1%"), 3),
			field.ErrorList{problem(field.ErrorTypeInvalid, "spec.minAvailable", "")}},

		"setting":                      {change: set("innodb-buffer-pool-size", "128M")},
		"setting with underscores":     {change: set("max_connections", "100")},
		"setting of a component":       {change: set("validate_password.policy", "LOW")},
		"reserved setting":             {set("gtid_mode", "OFF"), field.ErrorList{problem(field.ErrorTypeForbidden, conf+"[gtid_mode]", "gtid_mode is reserved: ")}},
		"reserved setting with dashes": {set("server-id", "7"), field.ErrorList{problem(field.ErrorTypeForbidden, conf+"[server-id]", "reserved")}},
		"reserved setting, disguised":  {set("loose_skip-log-bin", ""), field.ErrorList{problem(field.ErrorTypeForbidden, conf+"[loose_skip-log-bin]", "reserved")}},
		"setting that 8.4 removed": {set("expire_logs_days", "3"),
			field.ErrorList{problem(field.ErrorTypeForbidden, conf+"[expire_logs_days]", "MySQL 8.4 has no expire_logs_days: use binlog_expire_logs_seconds")}},
		"setting that 9 removed, with 8.4": {change: set("innodb_log_file_size", "48M")},
		"setting on two lines":             {set("sql_mode", "a\nskip-grant-tables"), field.ErrorList{problem(field.ErrorTypeInvalid, conf+"[sql_mode]", "line break")}},
		"setting without a name":           {set("", "1"), field.ErrorList{problem(field.ErrorTypeInvalid, conf+"[]", "not the name of a setting")}},
		"setting with a bracket":           {set("[client]", "1"), field.ErrorList{problem(field.ErrorTypeInvalid, conf+"[[client]]", "not the name of a setting")}},
		"setting with a long name": {set(strings.Repeat("a", 129), "1"),
			field.ErrorList{problem(field.ErrorTypeTooLong, conf+"["+strings.Repeat("a", 129)+"]", "128")}},
		"setting with a long value": {set("init_connect", strings.Repeat("a", 1025)),
			field.ErrorList{problem(field.ErrorTypeTooLong, conf+"[init_connect]", "1024")}},
		"setting in two spellings": {
			func(c *mysql.MysqlCluster) {
				c.Spec.MysqlConf = map[string]intstr.IntOrString{"max-connections": intstr.FromInt32(1), "max_connections": intstr.FromInt32(2)}
			},
			field.ErrorList{problem(field.ErrorTypeInvalid, conf+"[max_connections]", "the same setting as max-connections")},
		},

		"statement":                    {change: statement("SET GLOBAL a = 'x;y';")},
		"statement of nothing":         {statement(" ; "), field.ErrorList{problem(field.ErrorTypeRequired, sql+"[1]", "")}},
		"statement on two lines":       {statement("SELECT\n1"), field.ErrorList{problem(field.ErrorTypeInvalid, sql+"[1]", "one line")}},
		"statement with a zero byte":   {statement("SELECT '\x00'"), field.ErrorList{problem(field.ErrorTypeInvalid, sql+"[1]", "one line")}},
		"statement that is too long":   {statement(strings.Repeat("é", 2049)), field.ErrorList{problem(field.ErrorTypeTooLong, sql+"[1]", "4096")}},
		"statement of greatest length": {change: statement(strings.Repeat("a", 4096))},
	})
}

func TestValidateMysqlClusterUpdate(t *testing.T) {
	initialised := func(c *mysql.MysqlCluster) { c.Status.InitializedAt = ptr.To(metav1.Unix(1, 0)) }
	version := func(v string) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { c.Spec.MysqlVersion = v }
	}
	conf := func(names ...string) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) {
			c.Spec.MysqlConf = map[string]intstr.IntOrString{}
			for _, name := range names {
				c.Spec.MysqlConf[name] = intstr.FromInt32(2)
			}
		}
	}
	catalog := mysqlversion.Catalog{Default: "8.4", Versions: []mysqlversion.Version{
		{Name: "8.0", Image: "a"}, {Name: "8.4", Image: "b"}, {Name: "8.4-debug", Image: "c"}, {Name: "8.4.3", Image: "d"}, {Name: "9.7", Image: "e"},
	}}
	const versionPath = "spec.mysqlVersion"
	for name, tc := range map[string]struct {
		before, after []func(*mysql.MysqlCluster)
		want          field.ErrorList
	}{
		"nothing": {},
		"a version that left the catalogue stays editable": {
			before: []func(*mysql.MysqlCluster){version("5.7")},
			after:  []func(*mysql.MysqlCluster){version("5.7"), func(c *mysql.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](5) }},
		},
		"an upgrade to the next": {before: []func(*mysql.MysqlCluster){initialised}, after: []func(*mysql.MysqlCluster){version("9.7")}},
		"another build":          {before: []func(*mysql.MysqlCluster){initialised}, after: []func(*mysql.MysqlCluster){version("8.4-debug")}},
		"a patch back": {
			before: []func(*mysql.MysqlCluster){initialised, version("8.4.3")},
			after:  []func(*mysql.MysqlCluster){version("8.4")},
		},
		"a downgrade of data": {
			before: []func(*mysql.MysqlCluster){initialised, version("9.7")},
			after:  []func(*mysql.MysqlCluster){version("8.4")},
			want:   field.ErrorList{problem(field.ErrorTypeInvalid, versionPath, "can not open data that version 9.7 has written")},
		},
		"a downgrade before there are data": {before: []func(*mysql.MysqlCluster){version("9.7")}, after: []func(*mysql.MysqlCluster){version("8.4")}},
		"an upgrade that skips 8.4": {
			before: []func(*mysql.MysqlCluster){initialised, version("8.0")},
			after:  []func(*mysql.MysqlCluster){version("9.7")},
			want:   field.ErrorList{problem(field.ErrorTypeInvalid, versionPath, "go to an 8.4 first")},
		},
		"an unknown version": {
			after: []func(*mysql.MysqlCluster){version("9.9")},
			want:  field.ErrorList{problem(field.ErrorTypeNotSupported, versionPath, `"8.4-debug"`)},
		},
		"the version removed": {
			after: []func(*mysql.MysqlCluster){version("")},
			want:  field.ErrorList{problem(field.ErrorTypeRequired, versionPath, "")},
		},
		"a version that removed a setting": {
			before: []func(*mysql.MysqlCluster){conf("innodb_log_file_size")},
			after:  []func(*mysql.MysqlCluster){conf("innodb_log_file_size"), version("9.7")},
			want:   field.ErrorList{problem(field.ErrorTypeForbidden, "spec.mysqlConf[innodb_log_file_size]", "MySQL 9.7 has no")},
		},
		"an old reserved setting beside a new one": {
			before: []func(*mysql.MysqlCluster){conf("gtid_mode")},
			after:  []func(*mysql.MysqlCluster){conf("gtid_mode", "server_id")},
			want:   field.ErrorList{problem(field.ErrorTypeForbidden, "spec.mysqlConf[server_id]", "reserved")},
		},
		"a second spelling added": {
			before: []func(*mysql.MysqlCluster){conf("a_b")},
			after:  []func(*mysql.MysqlCluster){conf("a_b", "a-b")},
			want:   field.ErrorList{problem(field.ErrorTypeInvalid, "spec.mysqlConf[a_b]", "same setting")},
		},
		"scaled below minAvailable": {
			before: []func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) { c.Spec.MinAvailable = ptr.To(intstr.FromInt32(3)) }},
			after: []func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) {
				c.Spec.MinAvailable, c.Spec.Replicas = ptr.To(intstr.FromInt32(3)), ptr.To[int32](2)
			}},
		},
		"a larger volume": {
			after: []func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) { c.Spec.VolumeSpec.PersistentVolumeClaim = claim("2Gi") }},
			want:  field.ErrorList{problem(field.ErrorTypeForbidden, "spec.volumeSpec.persistentVolumeClaim", "not supported yet")},
		},
		"the same volume in other words": {
			after: []func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) { c.Spec.VolumeSpec.PersistentVolumeClaim = claim("1024Mi") }},
		},
		"volumes kept": {after: []func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) { c.Spec.VolumeSpec.KeepAfterDelete = true }}},
		"another name": {
			after: []func(*mysql.MysqlCluster){func(c *mysql.MysqlCluster) { c.Name = "bar" }},
			want:  field.ErrorList{problem(field.ErrorTypeInvalid, "metadata.name", "immutable")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := valid(tc.before...), valid(tc.after...)
			before.ResourceVersion, after.ResourceVersion = "1", "1"
			after.Status = before.Status
			byTypeFieldAndDetail.Test(t, tc.want, ValidateMysqlClusterUpdate(after, before, catalog))
		})
	}
}

func TestWarnings(t *testing.T) {
	conf := func(name string, value intstr.IntOrString) func(*mysql.MysqlCluster) {
		return func(c *mysql.MysqlCluster) { c.Spec.MysqlConf = map[string]intstr.IntOrString{name: value} }
	}
	for name, tc := range map[string]struct {
		change func(*mysql.MysqlCluster)
		want   string // the one warning's start; empty for none
	}{
		"three nodes":  {func(*mysql.MysqlCluster) {}, ""},
		"one node":     {func(c *mysql.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](1) }, "spec.replicas: "},
		"no size":      {func(c *mysql.MysqlCluster) { c.Spec.Replicas = nil }, "spec.replicas: "},
		"stopped":      {func(c *mysql.MysqlCluster) { c.Spec.Replicas = ptr.To[int32](0) }, ""},
		"Preferred, 3": {func(c *mysql.MysqlCluster) { c.Spec.Replication.Durability = mysql.DurabilityPreferred }, "spec.replication.durability: "},
		"Preferred, 2": {func(c *mysql.MysqlCluster) {
			c.Spec.Replication.Durability, c.Spec.Replicas = mysql.DurabilityPreferred, ptr.To[int32](2)
		}, ""},
		"Strict, 3":               {func(c *mysql.MysqlCluster) { c.Spec.Replication.Durability = mysql.DurabilityStrict }, ""},
		"Keep":                    {func(c *mysql.MysqlCluster) { c.Spec.Replication.ErrantNodePolicy = mysql.ErrantNodeKeep }, ""},
		"Rebuild":                 {func(c *mysql.MysqlCluster) { c.Spec.Replication.ErrantNodePolicy = mysql.ErrantNodeRebuild }, "spec.replication.errantNodePolicy: "},
		"all nodes available":     {func(c *mysql.MysqlCluster) { c.Spec.MinAvailable = ptr.To(intstr.FromInt32(3)) }, "spec.minAvailable: 3 of 3"},
		"100% available":          {func(c *mysql.MysqlCluster) { c.Spec.MinAvailable = ptr.To(intstr.FromString("100%")) }, "spec.minAvailable: 100% of 3"},
		"50% available":           {func(c *mysql.MysqlCluster) { c.Spec.MinAvailable = ptr.To(intstr.FromString("50%")) }, ""},
		"sync-binlog 0":           {conf("sync-binlog", intstr.FromInt32(0)), "spec.mysqlConf[sync-binlog]: "},
		"sync_binlog 1":           {conf("sync_binlog", intstr.FromInt32(1)), ""},
		"sync_binlog 1 as a text": {conf("sync_binlog", intstr.FromString("1")), ""},
		"flush at commit 2":       {conf("innodb_flush_log_at_trx_commit", intstr.FromString("2")), "spec.mysqlConf[innodb_flush_log_at_trx_commit]: "},
	} {
		t.Run(name, func(t *testing.T) {
			got := Warnings(valid(tc.change))
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tc.want)) {
				t.Errorf("got %q, want one that starts with %q", got, tc.want)
			}
		})
	}
}
