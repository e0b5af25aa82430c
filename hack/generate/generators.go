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
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	module   = "github.com/presslabs/mysql-apiserver"
	internal = module + "/pkg/apis/mysql"
	v1alpha1 = internal + "/v1alpha1"
	metadata = module + "/pkg/apis/meta/v1/validation"
	output   = module + "/pkg/generated"
)

// tools are the packages, in the module hack/tools, of the programs that are needed.
var tools = []string{
	"github.com/presslabs/mysql-apiserver/hack/tools/protoc",
	"golang.org/x/tools/cmd/goimports",
	"k8s.io/code-generator/cmd/applyconfiguration-gen",
	"k8s.io/code-generator/cmd/client-gen",
	"k8s.io/code-generator/cmd/conversion-gen",
	"k8s.io/code-generator/cmd/deepcopy-gen",
	"k8s.io/code-generator/cmd/defaulter-gen",
	"k8s.io/code-generator/cmd/go-to-protobuf",
	"k8s.io/code-generator/cmd/go-to-protobuf/protoc-gen-gogo",
	"k8s.io/code-generator/cmd/informer-gen",
	"k8s.io/code-generator/cmd/lister-gen",
	"k8s.io/code-generator/cmd/validation-gen",
	"k8s.io/kube-openapi/cmd/openapi-gen",
}

// foreign are the packages whose types ours refer to. They lie in the module cache, which generators must not write to;
// they do so unless they are told of each one.
var foreign = []string{
	"k8s.io/api/autoscaling/v1",
	"k8s.io/api/core/v1",
	"k8s.io/apimachinery/pkg/api/resource",
	"k8s.io/apimachinery/pkg/apis/meta/v1",
	"k8s.io/apimachinery/pkg/runtime",
	"k8s.io/apimachinery/pkg/types",
	"k8s.io/apimachinery/pkg/util/intstr",
	"k8s.io/apimachinery/pkg/version",
	"time",
}

// generation is one run of all generators.
type generation struct {
	repo string // the repository
	bin  string // the generators' binaries
	src  string // a source tree laid out by import paths, as go-to-protobuf needs it
	tree string // the copy of the repository in it
}

func newGeneration(repo, work string) *generation {
	src := filepath.Join(work, "generate", "src")
	return &generation{
		repo: repo,
		bin:  filepath.Join(work, "bin", "generators"),
		src:  src,
		tree: filepath.Join(src, filepath.FromSlash(module)),
	}
}

// generate runs the generators in the copy. The order matters: the OpenAPI definitions are input of the apply
// configurations, and those of the clients.
func (g *generation) generate(ctx context.Context) error {
	for _, step := range []func(context.Context) error{g.helpers, g.protobuf, g.openapi, g.clients} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// helpers generates the functions that live beside the types.
func (g *generation) helpers(ctx context.Context) error {
	validation := []string{"--output-file=zz_generated.validations.go", "--lint-rules=known-tags-only"}
	for _, p := range foreign {
		validation = append(validation, "--readonly-pkg="+p)
	}
	return errors.Join(
		g.tool(ctx, "deepcopy-gen", "--output-file=zz_generated.deepcopy.go", "--lint-rules=known-tags-only", internal, v1alpha1),
		g.tool(ctx, "defaulter-gen", "--output-file=zz_generated.defaults.go", "--lint-rules=known-tags-only", v1alpha1),
		g.tool(ctx, "conversion-gen", "--output-file=zz_generated.conversion.go", "--lint-rules=known-tags-only", v1alpha1),
		g.tool(ctx, "validation-gen", append(validation, metadata, v1alpha1)...),
	)
}

// protobuf generates the encoding that is used in etcd and by our own clients.
func (g *generation) protobuf(ctx context.Context) error {
	imports, err := g.protoImports(ctx)
	if err != nil {
		return err
	}
	var read []string
	for _, p := range []string{
		"k8s.io/apimachinery/pkg/util/intstr",
		"k8s.io/apimachinery/pkg/api/resource",
		"k8s.io/apimachinery/pkg/runtime/schema",
		"k8s.io/apimachinery/pkg/runtime",
		"k8s.io/apimachinery/pkg/apis/meta/v1",
		"k8s.io/api/core/v1",
	} {
		read = append(read, "-"+p) // the sign keeps it from being written
	}
	return g.tool(ctx, "go-to-protobuf", "--output-dir="+g.src, "--proto-import="+imports,
		"--apimachinery-packages="+strings.Join(read, ","), "--packages="+v1alpha1)
}

// protoImports makes a directory in which the .proto files of other modules are found by their import names.
func (g *generation) protoImports(ctx context.Context) (string, error) {
	dir := filepath.Join(filepath.Dir(g.src), "proto")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	for mod, from := range map[string]string{
		"k8s.io/api":               g.tree,
		"k8s.io/apimachinery":      g.tree,
		"github.com/gogo/protobuf": filepath.Join(g.repo, "hack", "tools"), // only the generators use it
	} {
		cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", mod)
		cmd.Dir, cmd.Stderr = from, os.Stderr
		at, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("looking for the module %s: %w", mod, err)
		}
		link := filepath.Join(dir, filepath.FromSlash(mod))
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return "", err
		}
		if err := os.Symlink(strings.TrimSpace(string(at)), link); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// openapi generates the schemas that the server publishes, which `kubectl explain` and server-side apply live on.
func (g *generation) openapi(ctx context.Context) error {
	args := []string{
		"--output-file=zz_generated.openapi.go",
		"--output-dir=" + filepath.Join(g.tree, "pkg", "generated", "openapi"),
		"--output-pkg=" + output + "/openapi",
		"--output-model-name-file=zz_generated.model_name.go",
		"--report-filename=" + filepath.Join(g.tree, filepath.FromSlash(violations)),
	}
	for _, p := range foreign {
		args = append(args, "--readonly-pkg="+p)
	}
	return g.tool(ctx, "openapi-gen", append(args,
		"k8s.io/api/autoscaling/v1",
		"k8s.io/api/core/v1",
		"k8s.io/apimachinery/pkg/api/resource",
		"k8s.io/apimachinery/pkg/apis/meta/v1",
		"k8s.io/apimachinery/pkg/runtime",
		"k8s.io/apimachinery/pkg/util/intstr",
		"k8s.io/apimachinery/pkg/version",
		v1alpha1)...)
}

// clients generates what programs talk to the server with.
func (g *generation) clients(ctx context.Context) error {
	schema, err := g.output(ctx, "go", "run", "./hack/generate/modelsschema")
	if err != nil {
		return err
	}
	schemaFile := filepath.Join(g.src, "openapi-schema.json")
	if err := os.WriteFile(schemaFile, schema, 0o644); err != nil {
		return err
	}
	dir := func(name string) string { return "--output-dir=" + filepath.Join(g.tree, "pkg", "generated", name) }
	pkg := func(name string) string { return "--output-pkg=" + output + "/" + name }
	return errors.Join(
		g.tool(ctx, "applyconfiguration-gen", dir("applyconfiguration"), pkg("applyconfiguration"),
			"--openapi-schema="+schemaFile, v1alpha1),
		g.tool(ctx, "client-gen", dir("clientset"), pkg("clientset"), "--clientset-name=versioned", "--prefers-protobuf",
			"--apply-configuration-package="+output+"/applyconfiguration",
			"--input-base="+module+"/pkg/apis", "--input=mysql/v1alpha1"),
		g.tool(ctx, "lister-gen", dir("listers"), pkg("listers"), v1alpha1),
		g.tool(ctx, "informer-gen", dir("informers"), pkg("informers"),
			"--versioned-clientset-package="+output+"/clientset/versioned",
			"--listers-package="+output+"/listers", v1alpha1),
	)
}

// buildTools builds the generators at the versions that hack/tools pins.
func (g *generation) buildTools(ctx context.Context) error {
	if err := os.MkdirAll(g.bin, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", g.bin + string(filepath.Separator)}, tools...)...)
	cmd.Dir = filepath.Join(g.repo, "hack", "tools")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// tool runs one generator in the copy.
func (g *generation) tool(ctx context.Context, name string, args ...string) error {
	fmt.Println("generate:", name)
	header := "--go-header-file=" + filepath.Join(g.repo, filepath.FromSlash(boilerplate))
	_, err := g.output(ctx, filepath.Join(g.bin, name), append([]string{header}, args...)...)
	return err
}

// output runs a command in the copy and returns its standard output. What it says elsewhere is shown only if it fails,
// because generators warn at length about things that are as they should be.
func (g *generation) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = g.tree
	cmd.Env = append(os.Environ(), "GOWORK=off", "PATH="+g.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stdout.String() + "\n" + stderr.String())
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, said)
	}
	return stdout.Bytes(), nil
}
