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

package workload

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

const (
	// mysqlUser is the user and group that the pods run as, and that the volumes belong to.
	mysqlUser = 999
	// terminationSeconds is the time that a primary has to hand over, and MySQL to write out what it keeps in memory.
	terminationSeconds = 120

	volumeConfig      = "config"
	volumeTLS         = "tls"
	volumeCredentials = "credentials"
	volumeUserSecret  = "user-secret"
	volumeRun         = "run"
	volumeTmp         = "tmp"
	volumeAgent       = "agent-bin"

	containerMySQL = "mysql"
	containerAgent = "agent"
)

// podTemplate is what each node's pod looks like. It satisfies the restricted Pod Security level.
func podTemplate(c *v1alpha1.MysqlCluster, images Images) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	hash, err := ConfigHash(c)
	if err != nil {
		return nil, err
	}
	spec, err := podSpec(c, images)
	if err != nil {
		return nil, err
	}
	labels := objectLabels(c.Name)
	maps.Copy(labels, c.Spec.PodSpec.Labels)
	maps.Copy(labels, NodeLabels(c.Name))
	annotations := map[string]string{"kubectl.kubernetes.io/default-container": containerMySQL}
	maps.Copy(annotations, c.Spec.PodSpec.Annotations)
	annotations[v1alpha1.AnnotationConfigHash] = hash
	return corev1ac.PodTemplateSpec().WithLabels(labels).WithAnnotations(annotations).WithSpec(spec), nil
}

func podSpec(c *v1alpha1.MysqlCluster, images Images) (*corev1ac.PodSpecApplyConfiguration, error) {
	user := &c.Spec.PodSpec
	mysql, err := mysqlContainer(c, images.MySQL)
	if err != nil {
		return nil, err
	}
	initContainers, err := appliedList[corev1ac.ContainerApplyConfiguration](user.InitContainers)
	if err != nil {
		return nil, err
	}
	containers, err := appliedList[corev1ac.ContainerApplyConfiguration](user.Containers)
	if err != nil {
		return nil, err
	}
	volumes, err := appliedList[corev1ac.VolumeApplyConfiguration](user.Volumes)
	if err != nil {
		return nil, err
	}
	pullSecrets, err := appliedList[corev1ac.LocalObjectReferenceApplyConfiguration](user.ImagePullSecrets)
	if err != nil {
		return nil, err
	}
	spec := corev1ac.PodSpec().
		WithTerminationGracePeriodSeconds(terminationSeconds).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).WithRunAsUser(mysqlUser).WithRunAsGroup(mysqlUser).WithFSGroup(mysqlUser).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithInitContainers(installContainer(images.Agent)).WithInitContainers(initContainers...).
		WithContainers(mysql).WithContainers(containers...).
		WithVolumes(ownVolumes(c)...).WithVolumes(volumes...).
		WithImagePullSecrets(pullSecrets...)
	if user.ServiceAccountName != "" {
		spec.WithServiceAccountName(user.ServiceAccountName)
	} else {
		spec.WithServiceAccountName(StatefulSetName(c.Name)).WithAutomountServiceAccountToken(false)
	}
	return spec, schedule(spec, c)
}

// schedule says where the pod may run.
func schedule(spec *corev1ac.PodSpecApplyConfiguration, c *v1alpha1.MysqlCluster) error {
	user := &c.Spec.PodSpec
	if user.Affinity != nil {
		affinity, err := applied[corev1ac.AffinityApplyConfiguration](user.Affinity)
		if err != nil {
			return err
		}
		spec.WithAffinity(affinity)
	} else {
		spec.WithAffinity(apart(c))
	}
	tolerations, err := appliedList[corev1ac.TolerationApplyConfiguration](user.Tolerations)
	if err != nil {
		return err
	}
	spread, err := appliedList[corev1ac.TopologySpreadConstraintApplyConfiguration](user.TopologySpreadConstraints)
	if err != nil {
		return err
	}
	spec.WithTolerations(tolerations...).WithTopologySpreadConstraints(spread...)
	if len(user.NodeSelector) > 0 {
		spec.WithNodeSelector(user.NodeSelector)
	}
	if user.PriorityClassName != "" {
		spec.WithPriorityClassName(user.PriorityClassName)
	}
	return nil
}

// apart makes the pods of a cluster prefer different machines.
func apart(c *v1alpha1.MysqlCluster) *corev1ac.AffinityApplyConfiguration {
	return corev1ac.Affinity().WithPodAntiAffinity(corev1ac.PodAntiAffinity().
		WithPreferredDuringSchedulingIgnoredDuringExecution(corev1ac.WeightedPodAffinityTerm().WithWeight(100).
			WithPodAffinityTerm(corev1ac.PodAffinityTerm().WithTopologyKey(corev1.LabelHostname).
				WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(NodeLabels(c.Name))))))
}

// installContainer copies the agent to where MySQL's container finds it.
func installContainer(image string) *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().WithName(containerAgent).WithImage(image).WithImagePullPolicy(corev1.PullIfNotPresent).
		WithCommand("/usr/local/bin/agent", "install", api.BinDir).
		WithSecurityContext(restrictedContainer()).
		WithResources(corev1ac.ResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")})).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(volumeAgent).WithMountPath(api.BinDir))
}

func restrictedContainer() *corev1ac.SecurityContextApplyConfiguration {
	return corev1ac.SecurityContext().
		WithRunAsNonRoot(true).WithAllowPrivilegeEscalation(false).WithReadOnlyRootFilesystem(true).WithPrivileged(false).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))
}

// mysqlContainer is the user's image with the agent as PID 1.
func mysqlContainer(c *v1alpha1.MysqlCluster, image string) (*corev1ac.ContainerApplyConfiguration, error) {
	user := &c.Spec.PodSpec
	if c.Spec.Image != "" {
		image = c.Spec.Image
	}
	resources, err := applied[corev1ac.ResourceRequirementsApplyConfiguration](withDefaults(user.Resources))
	if err != nil {
		return nil, err
	}
	mounts, err := appliedList[corev1ac.VolumeMountApplyConfiguration](user.VolumeMounts)
	if err != nil {
		return nil, err
	}
	pullPolicy := user.ImagePullPolicy
	if pullPolicy == "" {
		pullPolicy = corev1.PullIfNotPresent
	}
	return corev1ac.Container().WithName(containerMySQL).WithImage(image).WithImagePullPolicy(pullPolicy).
		WithCommand(api.BinDir+"/agent", "run").
		WithEnv(environment(user.Resources)...).
		WithPorts(
			corev1ac.ContainerPort().WithName(mysqlPortName).WithContainerPort(api.MySQLPort).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName(adminPortName).WithContainerPort(api.AdminPort).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName(controlPortName).WithContainerPort(api.ControlPort).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName(probePortName).WithContainerPort(api.ProbePort).WithProtocol(corev1.ProtocolTCP),
		).
		WithResources(resources).
		WithSecurityContext(restrictedContainer()).
		// The agent answers as soon as it runs, however long MySQL takes to recover; readiness tells whether MySQL serves.
		WithStartupProbe(probe("/livez").WithPeriodSeconds(1).WithTimeoutSeconds(5).WithFailureThreshold(300)).
		WithLivenessProbe(probe("/livez").WithPeriodSeconds(10).WithTimeoutSeconds(10).WithFailureThreshold(6)).
		WithReadinessProbe(probe("/readyz").WithPeriodSeconds(1).WithTimeoutSeconds(5).WithFailureThreshold(2)).
		WithVolumeMounts(ownMounts()...).WithVolumeMounts(mounts...), nil
}

func probe(path string) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(probePortName)))
}

// withDefaults fills in requests: MySQL's buffers are sized from them. Kubernetes itself takes a limit for a missing request.
func withDefaults(resources corev1.ResourceRequirements) corev1.ResourceRequirements {
	resources = *resources.DeepCopy()
	if resources.Requests == nil {
		resources.Requests = corev1.ResourceList{}
	}
	for name, value := range map[corev1.ResourceName]string{corev1.ResourceCPU: "200m", corev1.ResourceMemory: "1Gi"} {
		_, requested := resources.Requests[name]
		_, limited := resources.Limits[name]
		if !requested && !limited {
			resources.Requests[name] = resource.MustParse(value)
		}
	}
	return resources
}

func environment(resources corev1.ResourceRequirements) []*corev1ac.EnvVarApplyConfiguration {
	field := func(name, path string) *corev1ac.EnvVarApplyConfiguration {
		return corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
			WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath(path)))
	}
	amount := func(name, of, unit string) *corev1ac.EnvVarApplyConfiguration {
		return corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
			WithResourceFieldRef(corev1ac.ResourceFieldSelector().WithContainerName(containerMySQL).WithResource(of).WithDivisor(resource.MustParse(unit))))
	}
	env := []*corev1ac.EnvVarApplyConfiguration{
		field(api.EnvPodName, "metadata.name"),
		field(api.EnvPodUID, "metadata.uid"),
		field(api.EnvPodIP, "status.podIP"),
		field(api.EnvOrdinal, "metadata.labels['apps.kubernetes.io/pod-index']"),
		amount(api.EnvMemoryRequest, "requests.memory", "1"),
	}
	if _, limited := resources.Limits[corev1.ResourceCPU]; limited {
		// Without a limit, the whole machine would be reported.
		env = append(env, amount(api.EnvCPULimit, "limits.cpu", "1m"))
	}
	return env
}

func ownVolumes(c *v1alpha1.MysqlCluster) []*corev1ac.VolumeApplyConfiguration {
	secret := func(name, secretName string) *corev1ac.VolumeApplyConfiguration {
		return corev1ac.Volume().WithName(name).WithSecret(corev1ac.SecretVolumeSource().WithSecretName(secretName).WithDefaultMode(0o440))
	}
	empty := func(name string) *corev1ac.VolumeApplyConfiguration {
		return corev1ac.Volume().WithName(name).WithEmptyDir(corev1ac.EmptyDirVolumeSource())
	}
	return []*corev1ac.VolumeApplyConfiguration{
		corev1ac.Volume().WithName(volumeConfig).WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(StatefulSetName(c.Name))),
		secret(volumeTLS, TLSSecretName(c.Name)),
		secret(volumeCredentials, OperatedSecretName(c.Name)),
		secret(volumeUserSecret, c.Spec.SecretName),
		empty(volumeRun),
		empty(volumeTmp),
		empty(volumeAgent),
	}
}

func ownMounts() []*corev1ac.VolumeMountApplyConfiguration {
	mount := func(name, path string) *corev1ac.VolumeMountApplyConfiguration {
		return corev1ac.VolumeMount().WithName(name).WithMountPath(path)
	}
	return []*corev1ac.VolumeMountApplyConfiguration{
		mount(DataVolume, api.VolumeDir),
		mount(volumeRun, api.RunDir),
		mount(volumeTmp, "/tmp"),
		mount(volumeAgent, api.BinDir).WithReadOnly(true),
		mount(volumeConfig, api.ConfigDir).WithReadOnly(true),
		mount(volumeTLS, api.TLSDir).WithReadOnly(true),
		mount(volumeCredentials, api.CredentialsDir).WithReadOnly(true),
		mount(volumeUserSecret, api.UserSecretDir).WithReadOnly(true),
	}
}
