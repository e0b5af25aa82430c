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

package install

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/apitesting/naming"
	"k8s.io/apimachinery/pkg/api/apitesting/roundtrip"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/randfill"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// funcs fills objects with values as they are after defaulting: decoding fills defaults in, and would be taken for a change.
func funcs(codecs serializer.CodecFactory) []any {
	scheme := newScheme()
	return append(metafuzzer.Funcs(codecs),
		func(cluster *mysql.MysqlCluster, c randfill.Continue) {
			c.FillNoCustom(cluster)
			served := &v1alpha1.MysqlCluster{}
			utilruntime.Must(scheme.Convert(cluster, served, nil))
			scheme.Default(served)
			utilruntime.Must(scheme.Convert(served, cluster, nil))
		},
		func(cluster *v1alpha1.MysqlCluster, c randfill.Continue) {
			c.FillNoCustom(cluster)
			scheme.Default(cluster)
		},
		func(spec *mysql.MysqlFailoverSpec, c randfill.Continue) {
			c.FillNoCustom(spec)
			spec.Mode = mysql.FailoverForced
		},
		func(spec *v1alpha1.MysqlFailoverSpec, c randfill.Continue) {
			c.FillNoCustom(spec)
			spec.Mode = v1alpha1.FailoverForced
		},
	)
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	Install(scheme)
	return scheme
}

func TestRoundTripJSONAndYAML(t *testing.T) {
	roundtrip.RoundTripTestForAPIGroup(t, Install, fuzzer.MergeFuzzerFuncs(funcs))
}

func TestRoundTripProtobuf(t *testing.T) {
	roundtrip.RoundTripProtobufTestForAPIGroup(t, Install, fuzzer.MergeFuzzerFuncs(funcs))
}

func TestRoundTripUnstructured(t *testing.T) {
	// The options of requests are registered in each group, and have no internal version in any.
	options := sets.New(
		v1alpha1.SchemeGroupVersion.WithKind("CreateOptions"),
		v1alpha1.SchemeGroupVersion.WithKind("PatchOptions"),
		v1alpha1.SchemeGroupVersion.WithKind("UpdateOptions"))
	roundtrip.RoundtripToUnstructured(t, newScheme(), fuzzer.MergeFuzzerFuncs(funcs), options, nil)
}

func TestTagsFollowTheConventions(t *testing.T) {
	// Types of Kubernetes have no internal version that we could use.
	foreign := map[reflect.Type]bool{
		reflect.TypeFor[metav1.Condition]():                 true,
		reflect.TypeFor[metav1.ListMeta]():                  true,
		reflect.TypeFor[metav1.MicroTime]():                 true,
		reflect.TypeFor[metav1.ObjectMeta]():                true,
		reflect.TypeFor[metav1.Preconditions]():             true,
		reflect.TypeFor[metav1.TypeMeta]():                  true,
		reflect.TypeFor[metav1.Time]():                      true,
		reflect.TypeFor[intstr.IntOrString]():               true,
		reflect.TypeFor[corev1.Affinity]():                  true,
		reflect.TypeFor[corev1.Container]():                 true,
		reflect.TypeFor[corev1.LocalObjectReference]():      true,
		reflect.TypeFor[corev1.PersistentVolumeClaimSpec](): true,
		reflect.TypeFor[corev1.ResourceRequirements]():      true,
		reflect.TypeFor[corev1.Toleration]():                true,
		reflect.TypeFor[corev1.TopologySpreadConstraint]():  true,
		reflect.TypeFor[corev1.Volume]():                    true,
		reflect.TypeFor[corev1.VolumeMount]():               true,
	}
	if err := naming.VerifyTagNaming(newScheme(), foreign, nil); err != nil {
		t.Error(err)
	}
}
