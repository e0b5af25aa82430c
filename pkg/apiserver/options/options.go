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

// Package options holds what the API server can be told by flags, and runs it accordingly.
package options

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericoptions "k8s.io/apiserver/pkg/server/options"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql/v1alpha1"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver"
	"github.com/presslabs/mysql-apiserver/pkg/apiserver/servingcert"
	"github.com/presslabs/mysql-apiserver/pkg/etcd"
)

// EtcdPrefix is the path below which everything is kept in etcd. It is part of what is on disk: never change it.
const EtcdPrefix = "/registry/mysql.presslabs.io"

// DefaultPort is the port that the server listens at when it is aggregated: no privilege is needed for it.
const DefaultPort = 8443

// Options is what the server is told.
type Options struct {
	// Standalone is set for a server without Kubernetes behind it.
	Standalone bool
	// DataDir is the directory of the embedded etcd, and of what else a standalone server keeps.
	DataDir string
	// EtcdQuotaBytes is how large the embedded etcd may grow, in bytes.
	EtcdQuotaBytes int64
	// EtcdUnsafeNoFsync lets a loss of power cost data of the embedded etcd. It has no flag: it is for tests.
	EtcdUnsafeNoFsync bool
	// MysqlVersionsFile is the path of the catalogue of MySQL versions; empty for the built-in one.
	MysqlVersionsFile string
	// ServingCert says how an aggregated server gets its certificate, unless files are given.
	ServingCert servingcert.Options

	ServerRun   *genericoptions.ServerRunOptions
	Recommended *genericoptions.RecommendedOptions
}

// New makes the options of a server that kube-apiserver aggregates.
func New() *Options {
	o := &Options{
		DataDir:        "/var/lib/mysql-apiserver",
		EtcdQuotaBytes: etcd.DefaultQuotaBytes,
		ServingCert: servingcert.Options{
			Service: "mysql-apiserver", Namespace: "mysql-system", Secret: "mysql-apiserver-ca",
			APIServices: apiServices(),
			CALife:      10 * 365 * 24 * time.Hour, CertificateLife: 90 * 24 * time.Hour,
		},
		ServerRun:   genericoptions.NewServerRunOptions(),
		Recommended: genericoptions.NewRecommendedOptions(EtcdPrefix, apiserver.Codecs.LegacyCodec(v1alpha1.SchemeGroupVersion)),
	}
	// Without a list of servers, the embedded etcd is used.
	o.Recommended.Etcd.StorageConfig.Transport.ServerList = nil
	o.Recommended.Etcd.DefaultStorageMediaType = apiserver.StorageMediaType
	o.Recommended.SecureServing.BindPort = DefaultPort
	o.Recommended.SecureServing.Required = true
	// A stopping server ends its watches at once and tells clients with new requests to try again soon, instead of waiting, without
	// listening, until watches end by themselves. Clients of Kubernetes do that by themselves.
	o.ServerRun.ShutdownSendRetryAfter = true
	o.ServerRun.ShutdownWatchTerminationGracePeriod = time.Second
	return o
}

// NewStandalone makes the options of a server without Kubernetes behind it. It listens on the loopback interface, and that can not be changed.
func NewStandalone() *Options {
	o := New()
	o.Standalone = true
	o.DataDir = "mysql-apiserver-data"
	rec := o.Recommended
	rec.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	rec.SecureServing.BindPort = 0
	rec.SecureServing.Required = false
	rec.CoreAPI = nil
	rec.Admission = nil
	rec.Features.EnablePriorityAndFairness = false
	// Both delegate to Kubernetes. standalone.RestrictAccess takes their place.
	rec.Authentication = nil
	rec.Authorization = nil
	return o
}

// AddFlags adds the flags of the mode to fs.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.DataDir, "data-dir", o.DataDir, "The directory that the embedded etcd keeps its data in. Unused with --etcd-servers.")
	fs.Int64Var(&o.EtcdQuotaBytes, "etcd-quota-bytes", o.EtcdQuotaBytes, "How large the embedded etcd may grow, in bytes, before it refuses writes.")
	fs.StringVar(&o.MysqlVersionsFile, "mysql-versions", o.MysqlVersionsFile, "The file with the catalogue of MySQL versions that clusters may ask for. The built-in one if empty.")
	o.ServerRun.AddUniversalFlags(fs)
	if !o.Standalone {
		o.Recommended.AddFlags(fs)
		o.addServingCertFlags(fs)
		return
	}
	fs.Lookup("data-dir").Usage = "The directory that everything is kept in: the data of the embedded etcd, the certificates and the kubeconfig."
	fs.IntVar(&o.Recommended.SecureServing.BindPort, "secure-port", o.Recommended.SecureServing.BindPort, "The port on 127.0.0.1 to listen at. 0 takes a free one.")
	o.Recommended.Etcd.AddFlags(fs)
	o.Recommended.Audit.AddFlags(fs)
}

func (o *Options) addServingCertFlags(fs *pflag.FlagSet) {
	const unless = " Unused with --tls-cert-file."
	c := &o.ServingCert
	fs.StringVar(&c.Service, "service-name", c.Service, "The Service through which kube-apiserver reaches this server; its name goes into the serving certificate."+unless)
	fs.StringVar(&c.Namespace, "service-namespace", c.Namespace, "The namespace of that Service and of the Secret of the certificate authority."+unless)
	fs.StringVar(&c.Secret, "ca-secret", c.Secret, "The Secret in which the server keeps the certificate authority that issues its serving certificate."+unless)
	fs.DurationVar(&c.CALife, "ca-lifetime", c.CALife, "How long a new certificate authority is valid. It is renewed after two thirds."+unless)
	fs.DurationVar(&c.CertificateLife, "serving-certificate-lifetime", c.CertificateLife, "How long a new serving certificate is valid. It is renewed after two thirds."+unless)
	// The generic library would put a self-signed certificate there, which nobody could check.
	_ = fs.MarkHidden("cert-dir")
}

// Validate tells what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if o.DataDir == "" && (o.Standalone || o.embedded()) {
		errs = append(errs, errors.New("--data-dir must not be empty"))
	}
	if o.EtcdQuotaBytes <= 0 {
		errs = append(errs, fmt.Errorf("--etcd-quota-bytes must be positive, not %d", o.EtcdQuotaBytes))
	}
	if c := o.ServingCert; o.managesCertificate() {
		if c.Service == "" || c.Namespace == "" || c.Secret == "" {
			errs = append(errs, errors.New("without --tls-cert-file, --service-name, --service-namespace and --ca-secret must not be empty"))
		}
		if c.CALife < time.Minute || c.CertificateLife < time.Minute {
			errs = append(errs, errors.New("--ca-lifetime and --serving-certificate-lifetime must be a minute or more"))
		}
	}
	errs = append(errs, o.ServerRun.Validate()...)
	rec := *o.Recommended
	if o.embedded() {
		// The only thing that a server list would be missed for.
		etcdOptions := *rec.Etcd
		etcdOptions.StorageConfig.Transport.ServerList = []string{"embedded"}
		rec.Etcd = &etcdOptions
	}
	errs = append(errs, rec.Etcd.Validate()...)
	errs = append(errs, rec.SecureServing.Validate()...)
	errs = append(errs, rec.Authentication.Validate()...)
	errs = append(errs, rec.Authorization.Validate()...)
	errs = append(errs, rec.Audit.Validate()...)
	errs = append(errs, rec.Features.Validate()...)
	errs = append(errs, rec.EgressSelector.Validate()...)
	errs = append(errs, rec.Traces.Validate()...)
	if !o.Standalone {
		errs = append(errs, rec.CoreAPI.Validate()...)
		errs = append(errs, rec.Admission.Validate()...)
	}
	return errors.Join(errs...)
}

// embedded tells whether the server runs an etcd of its own.
func (o *Options) embedded() bool {
	return len(o.Recommended.Etcd.StorageConfig.Transport.ServerList) == 0
}

// managesCertificate tells whether the server makes its serving certificate itself.
func (o *Options) managesCertificate() bool {
	given := o.Recommended.SecureServing.ServerCert
	return !o.Standalone && given.CertKey.CertFile == "" && given.GeneratedCert == nil
}

// storedVersions are the versions that are served and may be stored.
func storedVersions() []schema.GroupVersion {
	return []schema.GroupVersion{v1alpha1.SchemeGroupVersion}
}

// apiServices are the names of the APIServices of the served versions.
func apiServices() []string {
	var names []string
	for _, version := range storedVersions() {
		names = append(names, version.Version+"."+version.Group)
	}
	return names
}
