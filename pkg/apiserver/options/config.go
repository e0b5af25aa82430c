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

package options

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	aggregatorclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/clock"

	"github.com/presslabs/mysql-apiserver/pkg/apiserver"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/servingcert"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/standalone"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// config turns the options into the configuration of a server that keeps its objects in the etcd at endpoints. alone is nil for an aggregated
// server, which opens its listener here.
func (o *Options) config(endpoints []string, alone *standalone.Files) (*apiserver.Config, error) {
	config := apiserver.NewConfig()
	if o.MysqlVersionsFile != "" {
		catalog, err := mysqlversion.Load(o.MysqlVersionsFile)
		if err != nil {
			return nil, err
		}
		config.Catalog = catalog
	}
	if err := o.ServerRun.DefaultAdvertiseAddress(o.Recommended.SecureServing.SecureServingOptions); err != nil {
		return nil, err
	}
	if err := o.ServerRun.ApplyTo(&config.Generic.Config); err != nil {
		return nil, err
	}
	if err := o.applyEtcd(endpoints, config); err != nil {
		return nil, err
	}
	rec := *o.Recommended
	rec.Etcd = nil // done
	if err := rec.ApplyTo(config.Generic); err != nil {
		return nil, err
	}
	if alone != nil {
		if err := standalone.RestrictAccess(&config.Generic.Config, alone.CACert); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// applyEtcd does what EtcdOptions.ApplyTo does, but with the storage factory that heeds --storage-media-type.
func (o *Options) applyEtcd(endpoints []string, config *apiserver.Config) error {
	etcdOptions := *o.Recommended.Etcd
	etcdOptions.StorageConfig.Transport.ServerList = endpoints
	if etcdOptions.StorageConfig.StorageObjectCountTracker == nil {
		etcdOptions.StorageConfig.StorageObjectCountTracker = config.Generic.StorageObjectCountTracker
	}
	resources := serverstorage.NewResourceConfig()
	resources.EnableVersions(storedVersions()...)
	factory := serverstorage.NewDefaultStorageFactory(
		etcdOptions.StorageConfig,
		etcdOptions.DefaultStorageMediaType,
		apiserver.Codecs,
		serverstorage.NewDefaultResourceEncodingConfigForEffectiveVersion(apiserver.Scheme, config.Generic.EffectiveVersion),
		resources,
		nil,
	)
	return etcdOptions.ApplyWithStorageFactoryTo(factory, &config.Generic.Config)
}

// prepareStandalone opens the listener on the loopback interface, and makes the certificates and the kubeconfig for its address.
func (o *Options) prepareStandalone(now time.Time) (*standalone.Files, error) {
	serving := o.Recommended.SecureServing
	address := net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort))
	listener, _, err := genericoptions.CreateListener("tcp", address, net.ListenConfig{})
	if err != nil {
		return nil, fmt.Errorf("listen at %s (try another --secure-port): %w", address, err)
	}
	files, err := standalone.Ensure(o.DataDir, listener.Addr().(*net.TCPAddr), now)
	if err != nil {
		listener.Close()
		return nil, err
	}
	serving.Listener = listener
	serving.ServerCert.CertKey = genericoptions.CertKey{CertFile: files.ServingCert, KeyFile: files.ServingKey}
	o.ServerRun.AdvertiseAddress = serving.BindAddress
	return files, nil
}

// startServingCert gets the serving certificate from Kubernetes, and makes the server use it.
func (o *Options) startServingCert(ctx context.Context) (*servingcert.Manager, error) {
	config, err := kubernetesConfig(o.Recommended.CoreAPI.CoreAPIKubeconfigPath)
	if err != nil {
		return nil, fmt.Errorf("find Kubernetes: %w", err)
	}
	config = rest.AddUserAgent(config, "serving-certificate")
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of Kubernetes: %w", err)
	}
	aggregator, err := aggregatorclient.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of Kubernetes' aggregator: %w", err)
	}
	manager := servingcert.New(o.ServingCert, kube, aggregator, clock.RealClock{})
	// Then the pod is started again, and somebody sees that.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := manager.Start(ctx); err != nil {
		return nil, err
	}
	o.Recommended.SecureServing.ServerCert.GeneratedCert = manager
	return manager, nil
}

// kubernetesConfig is the configuration of a client of the Kubernetes cluster: that of the kubeconfig, or of the pod that this runs in.
func kubernetesConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", kubeconfig)
}
