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

package servingcert

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	aggregatorinformers "k8s.io/kube-aggregator/pkg/client/informers/externalversions"
)

// watch triggers a sync whenever the Secret or one of the APIServices changes. Each is watched by its name, which is all that the server
// has the right to.
func (m *Manager) watch(ctx context.Context) error {
	changed := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { m.wake() },
		UpdateFunc: func(any, any) { m.wake() },
		DeleteFunc: func(any) { m.wake() },
	}
	named := func(name string) func(*metav1.ListOptions) {
		return func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		}
	}

	kube := informers.NewSharedInformerFactoryWithOptions(m.kube, 0, informers.WithNamespace(m.options.Namespace), informers.WithTweakListOptions(named(m.options.Secret)))
	_, err := kube.Core().V1().Secrets().Informer().AddEventHandler(changed)
	kube.Start(ctx.Done())

	for _, name := range m.options.APIServices {
		factory := aggregatorinformers.NewSharedInformerFactoryWithOptions(m.aggregator, 0, aggregatorinformers.WithTweakListOptions(named(name)))
		_, addErr := factory.Apiregistration().V1().APIServices().Informer().AddEventHandler(changed)
		err = errors.Join(err, addErr)
		factory.Start(ctx.Done())
	}
	return err
}

func (m *Manager) wake() {
	select {
	case m.trigger <- struct{}{}:
	default: // somebody else has woken it already
	}
}
