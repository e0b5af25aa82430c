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

// Command protoc stands in for the protocol buffers compiler of the same name, as far as go-to-protobuf uses it:
//
//	protoc -I dir… --gogo_out=dir file.proto
//
// So the generated files need nothing but Go modules. The code itself comes from the plugin protoc-gen-gogo on the PATH.
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

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// arguments are what is understood of the command line.
type arguments struct {
	imports []string // directories that imports are looked up in
	out     string   // directory to write to
	files   []string // files to compile
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "protoc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	a, err := parse(args)
	if err != nil {
		return err
	}
	var names []string
	for _, file := range a.files {
		name, err := importName(a.imports, file)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: a.imports}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return err
	}
	response, err := plugin(ctx, &pluginpb.CodeGeneratorRequest{FileToGenerate: names, ProtoFile: withImports(compiled)})
	if err != nil {
		return err
	}
	for _, file := range response.File {
		target := filepath.Join(a.out, filepath.FromSlash(file.GetName()))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, []byte(file.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func parse(args []string) (arguments, error) {
	var a arguments
	for i := 0; i < len(args); i++ {
		out, isOut := strings.CutPrefix(args[i], "--gogo_out=")
		switch {
		case args[i] == "-I" && i+1 < len(args):
			i++
			a.imports = append(a.imports, args[i])
		case isOut:
			a.out = out
		case strings.HasPrefix(args[i], "-"):
			return a, fmt.Errorf("argument %q is not understood", args[i])
		default:
			a.files = append(a.files, args[i])
		}
	}
	if a.out == "" || len(a.files) == 0 {
		return a, errors.New("--gogo_out and a file are needed")
	}
	return a, nil
}

// importName returns the name by which other files would import file.
func importName(imports []string, file string) (string, error) {
	for _, dir := range imports {
		if rest, ok := strings.CutPrefix(file, filepath.Clean(dir)+string(filepath.Separator)); ok {
			return filepath.ToSlash(rest), nil
		}
	}
	return "", fmt.Errorf("%s lies in none of the import directories %v", file, imports)
}

// withImports returns the descriptors of files and of all that they import, each after the ones that it imports.
func withImports(files linker.Files) []*descriptorpb.FileDescriptorProto {
	var all []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var visit func(protoreflect.FileDescriptor)
	visit = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			visit(file.Imports().Get(i).FileDescriptor)
		}
		all = append(all, protoutil.ProtoFromFileDescriptor(file))
	}
	for _, file := range files {
		visit(file)
	}
	return all
}

func plugin(ctx context.Context, request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	input, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "protoc-gen-gogo")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-gogo: %w", err)
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(output, response); err != nil {
		return nil, fmt.Errorf("the answer of protoc-gen-gogo: %w", err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("protoc-gen-gogo: %s", response.GetError())
	}
	return response, nil
}
