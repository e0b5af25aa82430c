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

package db

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Donor is a server whose data are cloned.
type Donor struct {
	Host           string
	Port           int
	User, Password string
	// CA is the PEM file that the donor's certificate must chain to.
	CA string
}

func (d Donor) address() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) }

// Ping tells whether the donor answers, with a certificate that is valid for it, and accepts the account.
func (d Donor) Ping(ctx context.Context) error {
	pem, err := os.ReadFile(d.CA)
	if err != nil {
		return fmt.Errorf("read the CA for the donor: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("read the CA for the donor: no certificate in the file")
	}
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", d.address()
	config.User, config.Passwd = d.User, d.Password
	config.Timeout, config.ReadTimeout = 10*time.Second, 10*time.Second
	config.Logger = log.New(io.Discard, "", 0)
	config.TLS = &tls.Config{RootCAs: pool, ServerName: d.Host, MinVersion: tls.VersionTLS12}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("connect to the donor %s: %w", d.address(), err)
	}
	donor := sql.OpenDB(connector)
	defer donor.Close()
	if err := donor.PingContext(ctx); err != nil {
		return fmt.Errorf("connect to the donor %s: %w", d.address(), err)
	}
	return nil
}

// IsDonorBusy tells whether CLONE failed because the donor serves another recipient, of which it takes one at a time.
func IsDonorBusy(err error) bool {
	var serverError *mysql.MySQLError
	// The donor's own error, ER_CLONE_TOO_MANY_CONCURRENT_CLONES, comes as text within that of the recipient.
	return errors.As(err, &serverError) && serverError.Number == errCloneDonor && strings.Contains(serverError.Message, " 3634 ")
}

// Clone copies the donor's data into the directory target, which must not exist, while this server goes on. The server's
// clone_ssl_ca has to be set.
func (d *DB) Clone(ctx context.Context, donor Donor, target string) error {
	err := d.exec(ctx,
		"SET GLOBAL clone_valid_donor_list = "+Quote(donor.Host+":"+strconv.Itoa(donor.Port)),
		fmt.Sprintf("CLONE INSTANCE FROM %s@%s:%d IDENTIFIED BY %s DATA DIRECTORY = %s REQUIRE SSL",
			Quote(donor.User), Quote(donor.Host), donor.Port, Quote(donor.Password), Quote(target)),
	)
	if err != nil {
		return fmt.Errorf("clone from %s: %w", donor.address(), err)
	}
	return nil
}
