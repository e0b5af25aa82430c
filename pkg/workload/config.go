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
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
)

// defaultServerIDOffset is the API's default of spec.serverIDOffset.
const defaultServerIDOffset = 100

// NodeConfig is what the agents of a cluster's nodes are told.
func NodeConfig(c *v1alpha1.MysqlCluster) api.NodeConfig {
	config := api.NodeConfig{
		ClusterUID:       string(c.UID),
		HostDomain:       HostDomain(c.Name, c.Namespace),
		ServerIDOffset:   defaultServerIDOffset,
		InitFileExtraSQL: c.Spec.InitFileExtraSQL,
		VolumeBytes:      volumeBytes(c),
	}
	if c.Spec.ServerIDOffset != nil {
		config.ServerIDOffset = *c.Spec.ServerIDOffset
	}
	if len(c.Spec.MysqlConf) > 0 {
		config.MysqlConf = map[string]string{}
		for name, value := range c.Spec.MysqlConf {
			config.MysqlConf[name] = value.String()
		}
	}
	return config
}

// ConfigMap holds the NodeConfig.
func ConfigMap(c *v1alpha1.MysqlCluster) (*corev1ac.ConfigMapApplyConfiguration, error) {
	text, err := json.MarshalIndent(NodeConfig(c), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the nodes' configuration: %w", err)
	}
	return corev1ac.ConfigMap(StatefulSetName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).
		WithData(map[string]string{api.ConfigFile: string(text)}), nil
}

// Keys of the Secret with the cluster's certificate authority.
const (
	CACertKey = "ca.crt"
	CAKeyKey  = "ca.key"
)

// OperatedSecret holds the passwords of the internal accounts. They are made once; each start of a node sets them again.
func OperatedSecret(c *v1alpha1.MysqlCluster, passwords map[string][]byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(OperatedSecretName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).WithType(corev1.SecretTypeOpaque).WithData(passwords)
}

// CASecret holds the cluster's certificate authority. It is not mounted anywhere.
func CASecret(c *v1alpha1.MysqlCluster, certPEM, keyPEM []byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(CASecretName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).WithType(corev1.SecretTypeOpaque).
		WithData(map[string][]byte{CACertKey: certPEM, CAKeyKey: keyPEM})
}

// TLSSecret holds the certificate that all nodes of the cluster share.
func TLSSecret(c *v1alpha1.MysqlCluster, caPEM, certPEM, keyPEM []byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(TLSSecretName(c.Name), c.Namespace).
		WithLabels(objectLabels(c.Name)).WithOwnerReferences(owner(c)).WithType(corev1.SecretTypeTLS).
		WithData(map[string][]byte{CACertKey: caPEM, corev1.TLSCertKey: certPEM, corev1.TLSPrivateKeyKey: keyPEM})
}

// restarting is all of a spec that a running node can only take over by a restart. Nothing of our own versions belongs here
// (safety rule 8): not the agent's image, not what the version of MySQL stands for, not what we add to the pods.
type restarting struct {
	SecretName       string                        `json:"secretName,omitempty"`
	MysqlVersion     string                        `json:"mysqlVersion,omitempty"`
	Image            string                        `json:"image,omitempty"`
	MysqlConf        map[string]intstr.IntOrString `json:"mysqlConf,omitempty"`
	InitFileExtraSQL []string                      `json:"initFileExtraSQL,omitempty"`
	PodSpec          v1alpha1.PodSpec              `json:"podSpec"`
	ServerIDOffset   int32                         `json:"serverIDOffset,omitempty"`
	// AnyNode is true when an empty affinity was asked for: it replaces the one that we add.
	AnyNode bool `json:"anyNode,omitempty"`
}

// ConfigHash is the value of AnnotationConfigHash of pods that are as the spec says. It is the same for all versions of ours that know
// the fields which are set: what is empty does not count, however it is encoded.
func ConfigHash(c *v1alpha1.MysqlCluster) (string, error) {
	text, err := json.Marshal(restarting{
		SecretName:       c.Spec.SecretName,
		MysqlVersion:     c.Spec.MysqlVersion,
		Image:            c.Spec.Image,
		MysqlConf:        c.Spec.MysqlConf,
		InitFileExtraSQL: c.Spec.InitFileExtraSQL,
		PodSpec:          c.Spec.PodSpec,
		ServerIDOffset:   NodeConfig(c).ServerIDOffset,
		AnyNode:          c.Spec.PodSpec.Affinity != nil,
	})
	if err != nil {
		return "", fmt.Errorf("encode the spec: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return "", fmt.Errorf("decode the spec: %w", err)
	}
	if text, err = json.Marshal(withoutEmpty(fields)); err != nil {
		return "", fmt.Errorf("encode the spec: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// withoutEmpty drops empty strings, lists and objects; nil if nothing is left.
func withoutEmpty(value any) any {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil
		}
	case map[string]any:
		for name, field := range v {
			if v[name] = withoutEmpty(field); v[name] == nil {
				delete(v, name)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i, item := range v {
			v[i] = withoutEmpty(item)
		}
		if len(v) == 0 {
			return nil
		}
	}
	return value
}

func volumeBytes(c *v1alpha1.MysqlCluster) int64 {
	claim := c.Spec.VolumeSpec.PersistentVolumeClaim
	if claim == nil {
		return 0
	}
	size := claim.Resources.Requests[corev1.ResourceStorage]
	return size.Value()
}
