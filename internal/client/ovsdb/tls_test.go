package ovsdb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

// authority makes certificates.
type authority struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.key, a.cert = a.issue(t, "ca")
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.key and NAME.crt; the first certificate is the authority's own.
func (a *authority) issue(t *testing.T, name string) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: a.cert == nil, BasicConstraintsValid: true}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func (a *authority) files(name string) *ovsdb.TLS {
	return &ovsdb.TLS{Key: a.file(name + ".key"), Cert: a.file(name + ".crt"), CA: a.file("ca.crt")}
}

func TestTLS(t *testing.T) {
	ours, stranger := newAuthority(t), newAuthority(t)
	ours.issue(t, "server")
	ours.issue(t, "client")
	stranger.issue(t, "client")
	s := ours.files("server")
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema,
		"--private-key="+s.Key, "--certificate="+s.Cert, "--ca-cert="+s.CA)
	server.Control(t, "ovsdb-server/add-remote", "pssl:0:127.0.0.1")
	endpoint := "ssl:127.0.0.1:" + listening(t, server)

	client, tables := run(t, ovsdb.Options{Endpoints: []string{endpoint}, TLS: ours.files("client")})
	inSync(t, client, 1)
	server.Transact(t, addSwitch("a"))
	ovsdbtest.Eventually(t, "a change arrives", func() bool { return client.Status().Rows == 1 })
	expectSwitches(t, client, tables, []string{"a"}, []string{"a"})

	bad := map[string]*ovsdb.TLS{
		"a server we do not trust":      {Key: ours.file("client.key"), Cert: ours.file("client.crt"), CA: stranger.file("ca.crt")},
		"no files":                      nil,
		"no such file":                  ours.files("nobody"),
		"a CA file without certificate": {Key: ours.file("client.key"), Cert: ours.file("client.crt"), CA: ours.file("client.key")},
	}
	for name, files := range bad {
		if conn, err := ovsdb.Dial(t.Context(), endpoint, files); err == nil {
			conn.Close()
			t.Errorf("connected with %s", name)
		}
	}
	// In TLS 1.3 a client learns after the handshake that it was refused.
	conn, err := ovsdb.Dial(t.Context(), endpoint, &ovsdb.TLS{
		Key: stranger.file("client.key"), Cert: stranger.file("client.crt"), CA: ours.file("ca.crt")})
	if err == nil {
		defer conn.Close()
		if _, err = conn.Databases(t.Context()); err == nil {
			t.Error("a server accepted a certificate of a stranger")
		}
	}
}

// listening finds the port that the server was given.
func listening(t *testing.T, server *ovsdbtest.Server) (port string) {
	t.Helper()
	pattern := regexp.MustCompile(`0:127\.0\.0\.1: listening on port (\d+)`)
	ovsdbtest.Eventually(t, "the server tells its port", func() bool {
		if m := pattern.FindStringSubmatch(server.Log(t)); m != nil {
			port = m[1]
		}
		return port != ""
	})
	return strings.TrimSpace(port)
}
