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

// Package app runs the controller as a program: flags, clients, leader election, health and metrics.
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/presslabs/mysql-apiserver/pkg/agent/client"
	"github.com/presslabs/mysql-apiserver/pkg/controller"
	"github.com/presslabs/mysql-apiserver/pkg/controller/agents"
	"github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned"
	mysqlscheme "github.com/presslabs/mysql-apiserver/pkg/generated/clientset/versioned/scheme"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// Environment variables that flags default to. The manifests set them from the pod.
const (
	envAgentImage   = "AGENT_IMAGE"
	envPodName      = "POD_NAME"
	envPodNamespace = "POD_NAMESPACE"
)

// ownContainer is the name of the controller's container in its manifest.
const ownContainer = "controller"

// Options are the program's flags.
type Options struct {
	Kubeconfig        string
	AgentImage        string
	MySQLVersionsFile string
	Workers           int
	BindAddress       string
	LeaderElect       bool
	LeaseNamespace    string
	LeaseName         string
	QPS               float32
	Burst             int

	leaseDuration, renewDeadline, retryPeriod time.Duration
}

// NewOptions returns the defaults.
func NewOptions() *Options {
	o := &Options{
		AgentImage:     os.Getenv(envAgentImage),
		Workers:        16,
		BindAddress:    ":8080",
		LeaderElect:    true,
		LeaseNamespace: os.Getenv(envPodNamespace),
		LeaseName:      "mysql-controller",
		QPS:            300,
		Burst:          600,

		leaseDuration: 15 * time.Second, renewDeadline: 10 * time.Second, retryPeriod: 2 * time.Second,
	}
	if o.LeaseNamespace == "" {
		o.LeaseNamespace = "mysql-system"
	}
	return o
}

// AddFlags adds the flags.
func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "File that says how to reach Kubernetes. Not needed in a pod.")
	f.StringVar(&o.AgentImage, "agent-image", o.AgentImage, "Image that the agent is copied from into the pods of the clusters. Defaults to $"+envAgentImage+", then to the image of the pod that this program runs in.")
	f.StringVar(&o.MySQLVersionsFile, "mysql-versions", o.MySQLVersionsFile,
		"YAML file that says which image each version of MySQL stands for: the same as the API server's. Defaults to a built-in list.")
	f.IntVar(&o.Workers, "workers", o.Workers, "Number of clusters that are reconciled at the same time.")
	f.StringVar(&o.BindAddress, "metrics-bind-address", o.BindAddress, "Address of /healthz, /readyz and /metrics, over plain HTTP. Empty for none.")
	f.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "Work only while holding a Lease, so that several replicas can run.")
	f.StringVar(&o.LeaseNamespace, "lease-namespace", o.LeaseNamespace, "Namespace of the Lease. Defaults to $"+envPodNamespace+".")
	f.StringVar(&o.LeaseName, "lease-name", o.LeaseName, "Name of the Lease.")
	f.Float32Var(&o.QPS, "kube-api-qps", o.QPS, "Requests a second to Kubernetes, in the long run.")
	f.IntVar(&o.Burst, "kube-api-burst", o.Burst, "Requests to Kubernetes that may be made at once.")
}

// Validate returns what is wrong with the flags.
func (o *Options) Validate() error {
	var errs []error
	if o.AgentImage == "" && (os.Getenv(envPodName) == "" || os.Getenv(envPodNamespace) == "") {
		errs = append(errs, errors.New("outside of a pod, --agent-image is needed"))
	}
	if o.Workers < 1 {
		errs = append(errs, errors.New("--workers has to be 1 or more"))
	}
	if o.QPS <= 0 || o.Burst < 1 {
		errs = append(errs, errors.New("--kube-api-qps and --kube-api-burst have to be positive"))
	}
	return errors.Join(errs...)
}

// Run runs the controller until ctx ends or the Lease is lost, and then releases the Lease.
func (o *Options) Run(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	versions := mysqlversion.Builtin()
	if o.MySQLVersionsFile != "" {
		var err error
		if versions, err = mysqlversion.Load(o.MySQLVersionsFile); err != nil {
			return fmt.Errorf("load --mysql-versions: %w", err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("find Kubernetes: %w", err)
	}
	config.QPS, config.Burst = o.QPS, o.Burst
	config.UserAgent = rest.DefaultKubernetesUserAgent()
	kube, err := kubernetes.NewForConfig(withProtobuf(config))
	if err != nil {
		return fmt.Errorf("make a client of Kubernetes: %w", err)
	}
	mysql, err := versioned.NewForConfig(withProtobuf(config))
	if err != nil {
		return fmt.Errorf("make a client of the MySQL API: %w", err)
	}
	metas, err := metadata.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client of Kubernetes' metadata: %w", err)
	}
	agentImage := o.AgentImage
	if agentImage == "" {
		if agentImage, err = ownImage(ctx, kube); err != nil {
			return err
		}
	}
	klog.FromContext(ctx).Info("The agent is copied from this image", "image", agentImage)
	stopServing, err := o.serve(ctx)
	if err != nil {
		return err
	}
	defer stopServing()

	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events(metav1.NamespaceAll)})
	defer broadcaster.Shutdown()

	return o.lead(ctx, kube, func(ctx context.Context) error {
		c, err := controller.New(ctx, controller.Config{
			Kube: kube, Metadata: metas, MySQL: mysql,
			Agents:     agents.Transport{Watch: client.Watch, Send: client.Send},
			Versions:   versions,
			AgentImage: agentImage,
			Events:     broadcaster.NewRecorder(mysqlscheme.Scheme, corev1.EventSource{Component: "mysql-controller"}),
			Now:        time.Now,
		})
		if err != nil {
			return err
		}
		return c.Run(ctx, o.Workers)
	})
}

// ownImage is the image of the pod that this program runs in: the agent is in the same.
func ownImage(ctx context.Context, kube kubernetes.Interface) (string, error) {
	pod, err := kube.CoreV1().Pods(os.Getenv(envPodNamespace)).Get(ctx, os.Getenv(envPodName), metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("look up the image of the own pod: %w", err)
	}
	for _, container := range pod.Spec.Containers {
		if container.Name == ownContainer {
			return container.Image, nil
		}
	}
	return "", fmt.Errorf("look up the image of the own pod: it has no container %s", ownContainer)
}

// withProtobuf asks for the encoding that is cheaper for both sides. Apply configurations are sent as JSON whatever this says.
func withProtobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return config
}

// errLeaseLost ends the program: another instance may work already.
var errLeaseLost = errors.New("the Lease was lost")

// lead runs work while it holds the Lease. It returns when work has ended, and the Lease is released only then.
func (o *Options) lead(ctx context.Context, kube kubernetes.Interface, work func(context.Context) error) error {
	if !o.LeaderElect {
		return work(ctx)
	}
	identity := os.Getenv(envPodName)
	if identity == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("find a name for the Lease: %w", err)
		}
		identity = host
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, o.LeaseNamespace, o.LeaseName, nil, kube.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s_%d_%d", identity, os.Getpid(), time.Now().UnixNano())})
	if err != nil {
		return fmt.Errorf("make the Lease: %w", err)
	}

	// The Lease outlives the work: it is released when nothing is done any more.
	leaseCtx, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	workCtx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	result := make(chan error, 1)
	started := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: o.LeaseName, ReleaseOnCancel: true,
		LeaseDuration: o.leaseDuration, RenewDeadline: o.renewDeadline, RetryPeriod: o.retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				close(started)
				result <- work(workCtx)
				release()
			},
			OnStoppedLeading: func() { stop(errLeaseLost) },
		},
	})
	if err != nil {
		return fmt.Errorf("stand for the Lease: %w", err)
	}
	go func() {
		<-ctx.Done()
		select {
		case <-started:
		default:
			// Nothing was begun that has to end first.
			release()
		}
	}()
	elector.Run(leaseCtx)
	select {
	case <-started:
	default:
		return nil
	}
	err = <-result
	if err == nil && ctx.Err() == nil && context.Cause(workCtx) != nil {
		return errLeaseLost
	}
	return err
}

// serve serves health and metrics. The returned function ends it.
func (o *Options) serve(ctx context.Context) (func(), error) {
	if o.BindAddress == "" {
		return func() {}, nil
	}
	listener, err := listen(ctx, o.BindAddress)
	if err != nil {
		return nil, fmt.Errorf("serve health and metrics: %w", err)
	}
	server := &http.Server{Handler: healthAndMetrics(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			klog.FromContext(ctx).Error(err, "Health and metrics are not served any more")
		}
	}()
	return func() {
		if err := server.Close(); err != nil {
			klog.FromContext(ctx).Error(err, "Could not stop serving health and metrics")
		}
	}, nil
}
