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

package standalone

import (
	"fmt"

	apiserverapi "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// RestrictAccess lets nobody in but the bearers of client certificates that the CA in the file issued to AdminGroup; everybody else may ask
// whether the server is healthy. No Kubernetes is asked, not even when the server happens to run in one of its pods.
func RestrictAccess(config *genericapiserver.Config, caFile string) error {
	clientCA, err := dynamiccertificates.NewDynamicCAContentFromFile("standalone-client-ca", caFile)
	if err != nil {
		return fmt.Errorf("load the client CA: %w", err)
	}
	authentication, definitions, err := authenticatorfactory.DelegatingAuthenticatorConfig{
		Anonymous:                          &apiserverapi.AnonymousAuthConfig{Enabled: true},
		ClientCertificateCAContentProvider: clientCA,
	}.New()
	if err != nil {
		return fmt.Errorf("set up authentication: %w", err)
	}
	health, err := path.NewAuthorizer([]string{"/healthz", "/livez", "/readyz"})
	if err != nil {
		return fmt.Errorf("set up authorization: %w", err)
	}
	authorization, err := union.New(
		union.NamedAuthorizer{AuthorizerName: "admin-group", Authorizer: authorizerfactory.NewPrivilegedGroups(AdminGroup)},
		union.NamedAuthorizer{AuthorizerName: "health-paths", Authorizer: health},
	)
	if err != nil {
		return fmt.Errorf("set up authorization: %w", err)
	}
	config.Authentication.Authenticator = authentication
	config.Authorization.Authorizer = authorization
	config.OpenAPIConfig.SecurityDefinitions = definitions
	return config.Authentication.ApplyClientCert(clientCA, config.SecureServing)
}
