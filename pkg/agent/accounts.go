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

package agent

import (
	"fmt"
	"strings"

	"github.com/presslabs/mysql-apiserver/pkg/agent/api"
	"github.com/presslabs/mysql-apiserver/pkg/agent/db"
)

// The statements of this file are read by mysqld from a file, at its start and before it listens: at that moment the server is not
// read-only yet and nobody else is connected. None of them is written to the binary log.

// plainSession makes the statements mean the same whatever the user's settings are.
const plainSession = "SET SESSION sql_log_bin = 0;\nSET SESSION sql_mode = '';\nSET SESSION autocommit = 1;\n"

// internalAccountStatements create the accounts that the nodes use between themselves, or bring them up to date.
func internalAccountStatements(c credentials) string {
	var out strings.Builder
	account := func(name, password, require string, grants ...string) {
		identified := " IDENTIFIED WITH caching_sha2_password BY " + db.Quote(password)
		options := require + " PASSWORD EXPIRE NEVER ACCOUNT UNLOCK"
		fmt.Fprintf(&out, "CREATE USER IF NOT EXISTS %s%s%s;\n", name, identified, options)
		fmt.Fprintf(&out, "ALTER USER %s%s%s;\n", name, identified, options)
		for _, grant := range grants {
			fmt.Fprintf(&out, "GRANT %s;\n", fmt.Sprintf(grant, name))
		}
	}
	account("'"+api.AccountAgent+"'@'localhost'", c.agent, "", "ALL PRIVILEGES ON *.* TO %s WITH GRANT OPTION")
	// SERVICE_CONNECTION_ADMIN lets an account use the administrative interface, and nothing else.
	account("'"+api.AccountReplication+"'@'%'", c.replication, " REQUIRE SSL", "REPLICATION SLAVE, SERVICE_CONNECTION_ADMIN ON *.* TO %s")
	account("'"+api.AccountClone+"'@'%'", c.clone, " REQUIRE SSL", "BACKUP_ADMIN, SERVICE_CONNECTION_ADMIN ON *.* TO %s")
	return out.String()
}

// startStatements are executed at each start.
func startStatements(c credentials, extra []string) string {
	var out strings.Builder
	out.WriteString(plainSession)
	out.WriteString(internalAccountStatements(c))
	for _, statement := range extra {
		if statement = strings.TrimRight(strings.TrimSpace(statement), "; \t\n"); statement != "" {
			out.WriteString(statement + "\n;\n") // on a line of its own: a comment may end the statement
		}
	}
	return out.String()
}

// initializeStatements are executed once, in the making of an empty server: replicas get the result with the cloned data.
func initializeStatements(c credentials, s userSecret) string {
	var out strings.Builder
	out.WriteString(plainSession)
	out.WriteString(internalAccountStatements(c))
	root := db.Quote(s.rootPassword)
	fmt.Fprintf(&out, "ALTER USER 'root'@'localhost' IDENTIFIED WITH caching_sha2_password BY %s;\n", root)
	fmt.Fprintf(&out, "CREATE USER 'root'@'%%' IDENTIFIED WITH caching_sha2_password BY %s;\n", root)
	out.WriteString("GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;\n")
	if s.database != "" {
		fmt.Fprintf(&out, "CREATE DATABASE %s;\n", db.QuoteName(s.database))
	}
	if s.user != "" && s.password != "" && !reservedAccount(s.user) {
		user := db.Quote(s.user) + "@'%'"
		fmt.Fprintf(&out, "CREATE USER %s IDENTIFIED WITH caching_sha2_password BY %s;\n", user, db.Quote(s.password))
		if s.database != "" {
			// In a GRANT, _ and % of a database's name are wildcards.
			name := strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`).Replace(s.database)
			fmt.Fprintf(&out, "GRANT ALL PRIVILEGES ON %s.* TO %s;\n", db.QuoteName(name), user)
		}
	}
	return out.String()
}

// reservedAccount tells whether a name is that of an account that exists anyway, whose rights the user's Secret must not change.
func reservedAccount(name string) bool {
	return name == "root" || strings.HasPrefix(name, "sys_") || strings.HasPrefix(name, "mysql.")
}
