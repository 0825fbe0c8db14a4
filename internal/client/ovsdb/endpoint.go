package ovsdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// defaultPort is the port IANA gave to OVSDB, used when an endpoint names none.
const defaultPort = "6640"

// TLS names the PEM files for ssl: endpoints. They are read at every connection, so renewed ones are picked up.
type TLS struct {
	Key  string // our private key
	Cert string // our certificate
	CA   string // who signed the server's certificate
}

// ParseEndpoints splits a comma separated list of connection methods as OVN writes it, for example
// "ssl:192.0.2.1:6641,ssl:[2001:db8::1]:6641". It returns an error that names the part that is not one of
// unix:/absolute/path, tcp:host[:port] and ssl:host[:port].
func ParseEndpoints(list string) ([]string, error) {
	var endpoints []string
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if _, err := parseEndpoint(part); err != nil {
			return nil, err
		}
		endpoints = append(endpoints, part)
	}
	return endpoints, nil
}

// endpoint is a connection method, taken apart for net.Dial.
type endpoint struct {
	network, address string
	secure           bool
}

func parseEndpoint(s string) (endpoint, error) {
	kind, rest, _ := strings.Cut(s, ":")
	switch kind {
	case "unix":
		// A relative path would depend on where the process was started.
		if !strings.HasPrefix(rest, "/") {
			return endpoint{}, fmt.Errorf("endpoint %q: the socket's path is not absolute", s)
		}
		return endpoint{network: "unix", address: rest}, nil
	case "tcp", "ssl":
		address, err := hostPort(rest)
		if err != nil {
			return endpoint{}, fmt.Errorf("endpoint %q: %w", s, err)
		}
		return endpoint{network: "tcp", address: address, secure: kind == "ssl"}, nil
	}
	return endpoint{}, fmt.Errorf("endpoint %q is none of unix:, tcp: and ssl: endpoints", s)
}

// hostPort adds the default port where there is none.
func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, defaultPort
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
			host = s[1 : len(s)-1]
		} else if strings.ContainsAny(s, "[]:") {
			return "", errors.New("an IPv6 address needs brackets")
		}
	}
	if host == "" || port == "" {
		return "", errors.New("no host or no port")
	}
	return net.JoinHostPort(host, port), nil
}

// dialEndpoint opens the transport.
func dialEndpoint(ctx context.Context, s string, files *TLS) (net.Conn, error) {
	e, err := parseEndpoint(s)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	if !e.secure {
		return dialer.DialContext(ctx, e.network, e.address)
	}
	if files == nil {
		return nil, fmt.Errorf("endpoint %s: no key, certificate and CA given", s)
	}
	config, err := files.config()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: &dialer, Config: config}).DialContext(ctx, e.network, e.address)
}

// config checks that the server's certificate is signed by the CA, and not what name it is for: certificates made
// with ovs-pki carry no host name, and every other OVSDB client accepts them.
func (t *TLS) config() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("load certificate %s and key %s: %w", t.Cert, t.Key, err)
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("load CA: no certificate in %s", t.CA)
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{cert},
		InsecureSkipVerify: true, // only the name: VerifyConnection checks the chain
		VerifyConnection: func(s tls.ConnectionState) error {
			options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
			for _, c := range s.PeerCertificates[1:] {
				options.Intermediates.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(options)
			return err
		},
	}, nil
}
