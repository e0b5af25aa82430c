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

package controller

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestProblemSaysWhyAPodDoesNotRun(t *testing.T) {
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db-mysql"}}
	pending := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data-db-mysql-0"},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("slow")}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}
	waiting := func(reason, message string) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{NodeName: "machine"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "mysql", Image: "mysql:0", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}},
		}}}}
	}
	for name, test := range map[string]struct {
		set   *appsv1.StatefulSet
		pod   *corev1.Pod
		claim *corev1.PersistentVolumeClaim
		want  string
	}{
		"no set":     {nil, nil, nil, "the StatefulSet does not exist yet"},
		"no pod":     {set, nil, nil, "its pod does not exist (kubectl describe statefulset db-mysql tells why"},
		"no machine": {set, unschedulable("0/3 nodes have room"), nil, "its pod can not be scheduled: 0/3 nodes have room"},
		"no volume": {set, unschedulable("unbound claim"), pending,
			"its pod can not be scheduled: unbound claim; its claim data-db-mysql-0 has no volume of StorageClass slow yet"},
		"evicted":     {set, &corev1.Pod{Spec: corev1.PodSpec{NodeName: "m"}, Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "no room"}}, nil, "its pod has failed: Evicted: no room"},
		"no image":    {set, waiting("ImagePullBackOff", "not found"), nil, "image mysql:0 can not be pulled: not found"},
		"crashing":    {set, waiting("CrashLoopBackOff", ""), nil, "container mysql keeps ending, last with exit code 3"},
		"bad config":  {set, waiting("CreateContainerConfigError", "no such key"), nil, "container mysql can not start: CreateContainerConfigError: no such key"},
		"starting":    {set, waiting("ContainerCreating", ""), nil, "its pod is being started"},
		"not started": {set, &corev1.Pod{Spec: corev1.PodSpec{NodeName: "m"}}, nil, "its pod is being started"},
	} {
		if got := problem(test.set, test.pod, test.claim); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
	running := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "m"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "mysql"}}}}
	if got := problem(set, running, nil); got != "" {
		t.Errorf("a running pod has the problem %q", got)
	}
}

func unschedulable(message string) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message},
	}}}
}
