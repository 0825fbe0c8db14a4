package desired

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// finding is what one row means for one address, or for one subnet: the decision and, where it is to be announced
// here, what it takes to carry it.
type finding struct {
	model.Decision
	prefix netip.Prefix // what would be announced: the address alone, or its subnet
	rank   rank
	kind   model.Kind
	why    string // a few words for the announcement and what carries it
	net    *network
	device string       // of an address of the host itself, which no network carries: what has it
	mac    string       // "" leaves it to the kernel to ask
	cidr   netip.Prefix // the address's subnet on a provider network; unset where the row does not say
	via    *subnet      // of what is on a tenant network: the subnet whose carriers carry it
	part   bool         // announced as part of a subnet, and not by itself
	hop    netip.Addr   // next hop to tell the peers; unset: this node
	order  string       // of claims of one rank to one prefix the first by it wins
	subject
}

// rank orders the claims to one prefix: the lower wins.
type rank int

const (
	rankHost rank = iota
	rankGateway
	rankFloatingIP
	rankPort
	rankTenant
	rankOther
)

// suppressed is a decision not to announce what is this node's.
func suppressed(reason, text, fix string) *model.Decision {
	return &model.Decision{Verdict: model.Suppressed, Reason: reason, Text: text, Fix: fix, Evidence: model.Explained}
}

// note records something odd that concerns no single address.
func (v *view) note(reason, row, text, fix string) {
	d := suppressed(reason, text, fix)
	d.Row = v.realRow(row)
	v.notes = append(v.notes, *d)
}

// at completes a decision with the address it is about and the row that proves it.
func (v *view) at(a netip.Addr, row string, d model.Decision) finding {
	d.Address, d.Key, d.Row = a, v.key(a), v.realRow(row)
	return finding{Decision: d, prefix: hostPrefix(a), rank: rankOther}
}

// unfit says why an address of this kind is never announced: nil for ordinary ones.
func unfit(a netip.Addr) *model.Decision {
	if a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsLoopback() || a.IsUnspecified() || isReserved(a) {
		return suppressed("not-routable", "link-local, multicast, loopback and reserved addresses are never announced", "")
	}
	return nil
}

// isReserved tells whether an IPv4 address is in "this network", 0.0.0.0/8, or in 240.0.0.0/4 with the broadcast address:
// no BGP daemon hands them on (RFC 6890).
func isReserved(a netip.Addr) bool {
	return a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240)
}

func rowOf(table, uuid, kind, name string) string {
	return table + " " + uuid + " (" + strings.TrimSpace(kind+" "+printable(name)) + ")"
}

// realRow names the table that a row, as rowOf names it, is really in.
func (v *view) realRow(row string) string {
	noun, rest, _ := strings.Cut(row, " ")
	if table := v.in.OVN.Tables[noun]; table != "" {
		return table + " " + rest
	}
	return row
}

// settle makes one decision of each finding that the policy lets pass or not, and of those that want the same prefix
// announced one winner: what they agree on is one announcement with several whys, and what they differ in is shown.
func (v *view) settle(found []finding) (won []finding, decisions []model.Decision) {
	v.permit(found)
	slices.SortStableFunc(found, compareFindings)
	won = make([]finding, 0, len(found))
	decisions = make([]model.Decision, 0, len(found))
	var last *finding // the winner of the prefix at hand
	for i := range found {
		f := found[i]
		if f.Verdict == model.Announced && !f.part {
			switch {
			case last == nil || last.prefix != f.prefix:
				won = append(won, f)
				last = &won[len(won)-1]
			case f.net == last.net && f.mac == last.mac && f.via == last.via && f.hop == last.hop:
				won = append(won, f) // the same place for another reason
				last = &won[len(won)-1]
			default:
				f.Decision = overlap(f, *last)
			}
		}
		decisions = append(decisions, f.Decision)
	}
	slices.SortStableFunc(decisions, compareDecisions)
	return won, slices.Compact(decisions)
}

func overlap(f, winner finding) model.Decision {
	d := *suppressed("overlap", "another row wants this address in another place or with another MAC and comes first: "+
		winner.Row+". Not announced: "+f.Text, "give one of them another address")
	if winner.hop.IsValid() {
		d = *suppressed("overlap", fmt.Sprintf("%s is announced by way of %s, which comes first: %s. Not announced: %s",
			winner.prefix, winner.hop, winner.Row, f.Text), "")
	}
	d.Address, d.Key, d.Row = f.Address, f.Key, f.Row
	return d
}

func compareFindings(a, b finding) int {
	if n := a.prefix.Compare(b.prefix); n != 0 {
		return n // nearly always, and what follows costs more
	}
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.order, b.order), cmp.Compare(a.Row, b.Row),
		cmp.Compare(a.mac, b.mac), cmp.Compare(a.Text, b.Text))
}

func compareDecisions(a, b model.Decision) int {
	if n := a.Address.Compare(b.Address); n != 0 {
		return n
	}
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.Row, b.Row),
		cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Text, b.Text))
}

func sortByName(list []*ovn.LogicalRouterPort) {
	slices.SortFunc(list, func(a, b *ovn.LogicalRouterPort) int { return cmp.Compare(a.Name, b.Name) })
}
