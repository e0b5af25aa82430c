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
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/install"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// TestExamplesAreValid reads each cluster of the examples as the server does: strictly, with defaults, into the internal version.
func TestExamplesAreValid(t *testing.T) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(mysql.SchemeGroupVersion)
	clusters := 0
	for _, document := range examples(t) {
		object, _, err := decoder.Decode(document, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			continue // a Secret, for example
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, document)
			continue
		}
		cluster := object.(*mysql.MysqlCluster)
		clusters++
		cluster.Namespace = "default"
		cluster.Spec.MysqlVersion = mysqlversion.Builtin().OrDefault(cluster.Spec.MysqlVersion)
		if errs := ValidateMysqlCluster(cluster, mysqlversion.Builtin()); len(errs) > 0 {
			t.Errorf("%s: %v", cluster.Name, errs)
		}
	}
	if clusters == 0 {
		t.Error("the examples have no cluster")
	}
}

// examples returns all documents of all examples.
func examples(t *testing.T) [][]byte {
	t.Helper()
	files, err := filepath.Glob("../../../../artifacts/examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var documents [][]byte
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		reader := yaml.NewYAMLReader(bufio.NewReader(file))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			documents = append(documents, document)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return documents
}
