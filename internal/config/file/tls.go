package file

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"ovnbgp/internal/config"
)

// maxPEM is far more than a chain of certificates has.
const maxPEM = 1 << 20

// missing opens the keys and certificates that ssl: connections will need.
func (l *loader) missing(s config.Settings) Problems {
	var all Problems
	for _, db := range []struct {
		short string
		config.Database
	}{{"nb", s.Northbound}, {"sb", s.Southbound}} {
		isTLS := func(endpoint string) bool { return strings.HasPrefix(endpoint, "ssl:") }
		if slices.ContainsFunc(db.Endpoints, isTLS) {
			all = append(all, l.missingTLS(db.short, db.TLS)...)
		}
	}
	return all
}

func (l *loader) missingTLS(short string, t config.TLS) Problems {
	var all Problems
	open := func(name, path string) []byte {
		text, _, err := readWhole(path, maxPEM)
		if err != nil {
			all = append(all, l.about(short, name, path, err.Error()))
		}
		return []byte(text)
	}
	key, certificate, ca := open("private_key", t.Key), open("certificate", t.Certificate), open("ca_cert", t.CA)
	if len(all) > 0 {
		return all
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		all = append(all, l.about(short, "certificate", t.Certificate, "with the key "+t.Key+": "+err.Error()))
	}
	if !x509.NewCertPool().AppendCertsFromPEM(ca) {
		all = append(all, l.about(short, "ca_cert", t.CA, "the file has no certificate"))
	}
	return all
}

// about is a problem of a database's option, at the line where it is written under either of its names.
func (l *loader) about(short, name, value, text string) Problem {
	s := spelling{"ovn", "ovn_" + short + "_" + name}
	p := Problem{File: "(default)", Option: s.String(), Value: value, Text: text}
	if e, ok := l.last(s, spelling{"DEFAULT", s.Name}); ok {
		p.File, p.Line, p.Option = e.File, e.Line, spelling{e.group, e.name}.String()
	}
	return p
}
