package status

import (
	"bytes"
	"fmt"

	"ovnbgp/internal/model"
)

// writePeers lists the BGP neighbours.
func writePeers(out *bytes.Buffer, r Report) {
	list(out, "PEER\tADDRESS\tAS\tSTATE\tUP\tIN/OUT\tBFD\tWARNING", r.Peers, func(t *bytes.Buffer, p model.Session) {
		address, as, up, bfd := "-", "-", "-", p.BFD
		if p.Address.IsValid() {
			address = p.Address.String()
		}
		if p.AS != 0 {
			as = fmt.Sprint(p.AS)
		}
		if !p.Since.IsZero() {
			up = ago(r.Time, p.Since)
		}
		if bfd == "" {
			bfd = "-"
		}
		remark := p.Warning
		if remark == "" && p.LastError != "" {
			remark = "last error: " + p.LastError
		}
		in, told := prefixes(p)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d/%d\t%s\t%s\n", p.Name, address, as, p.State, up, in, told, bfd, remark)
	})
}

func prefixes(p model.Session) (in, out uint64) {
	for _, f := range p.Families {
		in, out = in+f.Received, out+f.Sent
	}
	return in, out
}
