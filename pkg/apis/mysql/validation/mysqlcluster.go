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

// Package validation holds the rules for the API's objects that tags on their fields cannot express. It works on the
// internal version.
//
// An update judges only what it changes: an object that was accepted by an older release, or under an older catalogue of MySQL
// versions, stays editable. To this end each rule is given the old value too; on creation, that is the empty one.
package validation

import (
	"fmt"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/presslabs/mysql-apiserver/pkg/apis/mysql"
	"github.com/presslabs/mysql-apiserver/pkg/mysqlversion"
)

// MaxNameLength is the length that the name of a cluster may have. The longest that is made from it is the value of the label
// controller-revision-hash of its pods, "<name>-mysql-" and ten characters, which may have 63.
const MaxNameLength = 63 - len("-mysql-") - 10

// ValidateMysqlCluster judges a cluster that is to be created. spec.mysqlVersion has to be filled in already.
func ValidateMysqlCluster(cluster *mysql.MysqlCluster, catalog mysqlversion.Catalog) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&cluster.ObjectMeta, true, validateName, field.NewPath("metadata"))
	return append(errs, validateSpec(cluster, &mysql.MysqlCluster{}, catalog)...)
}

// ValidateMysqlClusterUpdate judges a change of a cluster.
func ValidateMysqlClusterUpdate(cluster, old *mysql.MysqlCluster, catalog mysqlversion.Catalog) field.ErrorList {
	errs := apivalidation.ValidateObjectMetaUpdate(&cluster.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))
	return append(errs, validateSpec(cluster, old, catalog)...)
}

func validateName(name string, prefix bool) []string {
	messages := apivalidation.NameIsDNS1035Label(name, prefix)
	if len(name) > MaxNameLength {
		messages = append(messages, fmt.Sprintf(
			"must be no more than %d characters, because the names and labels of the cluster's pods and Services are built from it", MaxNameLength))
	}
	return messages
}

func validateSpec(cluster, old *mysql.MysqlCluster, catalog mysqlversion.Catalog) field.ErrorList {
	path := field.NewPath("spec")
	spec, oldSpec := &cluster.Spec, &old.Spec
	errs := validateVersion(cluster, old, catalog, path.Child("mysqlVersion"))
	errs = append(errs, validateMysqlConf(spec, oldSpec, path.Child("mysqlConf"))...)
	errs = append(errs, validateInitFileExtraSQL(spec.InitFileExtraSQL, oldSpec.InitFileExtraSQL, path.Child("initFileExtraSQL"))...)
	errs = append(errs, validateVolumeSpec(&spec.VolumeSpec, &oldSpec.VolumeSpec, path.Child("volumeSpec"))...)
	errs = append(errs, validatePodSpec(&spec.PodSpec, &oldSpec.PodSpec, path.Child("podSpec"))...)
	if spec.Image != oldSpec.Image {
		errs = append(errs, validateImage(spec.Image, path.Child("image"))...)
	}
	if changed(spec.MinAvailable, oldSpec.MinAvailable) {
		errs = append(errs, validateMinAvailable(spec, path.Child("minAvailable"))...)
	}
	return errs
}

func changed(value, old any) bool { return !apiequality.Semantic.DeepEqual(value, old) }
