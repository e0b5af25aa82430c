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

package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"testing"
)

// fieldLimits are the limits that the tags of one field give.
type fieldLimits struct {
	enforced, published map[string]string
}

var (
	enforcedTag  = regexp.MustCompile(`(?m)^//?\s*\+k8s:(minimum|maximum|maxLength|maxItems|maxProperties)=(\S+)$`)
	publishedTag = regexp.MustCompile(`(?m)^//?\s*\+k8s:validation:(minimum|maximum|maxLength|maxItems|maxProperties)=(\S+)$`)
	// A name's format implies its length.
	longNameTag = regexp.MustCompile(`(?m)^//?\s*\+k8s:format=k8s-long-name$`)
)

// limits reads the limits of all fields from the sources of this package: the generated code does not tell them.
func limits(t *testing.T) map[string]fieldLimits {
	t.Helper()
	files, err := filepath.Glob("types_*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]fieldLimits{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if structType, ok := spec.Type.(*ast.StructType); ok {
				addLimits(found, spec.Name.Name, structType)
			}
			return false
		})
	}
	return found
}

func addLimits(found map[string]fieldLimits, typeName string, structType *ast.StructType) {
	for _, field := range structType.Fields.List {
		if field.Doc == nil || len(field.Names) == 0 {
			continue
		}
		var text string
		for _, comment := range field.Doc.List {
			text += comment.Text + "\n"
		}
		limit := fieldLimits{enforced: tags(enforcedTag, text), published: tags(publishedTag, text)}
		if longNameTag.MatchString(text) {
			limit.enforced["maxLength"] = "253"
		}
		if len(limit.enforced)+len(limit.published) > 0 {
			found[typeName+"."+field.Names[0].Name] = limit
		}
	}
}

func tags(pattern *regexp.Regexp, text string) map[string]string {
	values := map[string]string{}
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		values[match[1]] = match[2]
	}
	return values
}
