package config

import (
	"net/netip"
	"slices"
	"strings"
)

// TagsKey is the external_ids key whose value lists the tags of a row, with commas between. Neutron's own tags never
// reach OVN.
const TagsKey = "ovnbgp-tags"

// Policy selects, of the addresses that are this node's to announce, those that may be. What a Deny list has is not
// announced; where an Allow list has entries, what it has not is not announced either. The zero value selects all.
type Policy struct {
	CIDRs       Lists[netip.Prefix]
	Networks    Lists[Name]
	Routers     Lists[Name]
	ExternalIDs Lists[Label]
	Tags        Lists[Tag]
}

// Lists are what one property of an address may, and may not, be.
type Lists[T any] struct{ Allow, Deny []T }

// Name is what a network or router is called: its Neutron UUID, the name of its row in OVN, or a name that a person
// gave it, which need not be unique.
type Name string

// String returns the name.
func (n Name) String() string { return string(n) }

// IsID tells whether the name is one that nobody can choose: a UUID, or such a one behind "neutron-", as Neutron
// names its rows.
func (n Name) IsID() bool {
	id := strings.TrimPrefix(string(n), neutronRow)
	if len(id) != 36 {
		return false
	}
	for i, c := range id {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

// neutronRow is what Neutron puts before a UUID to name a row.
const neutronRow = "neutron-"

// Means tells whether the name is that of a row, or is what people call it. A tenant who calls a network by the UUID
// of another does not get the other's treatment.
func (n Name) Means(row, called string) bool {
	switch {
	case row == "":
		return false
	case n.IsID():
		return strings.EqualFold(strings.TrimPrefix(string(n), neutronRow), strings.TrimPrefix(row, neutronRow))
	}
	return string(n) == row || string(n) == called
}

// Tag is a word in the value of TagsKey.
type Tag string

// String returns the tag.
func (t Tag) String() string { return string(t) }

// Label is an entry of external_ids: a key with this value or, where AnyValue is set, with whatever value.
type Label struct {
	Key, Value string
	AnyValue   bool
}

// String returns the label as it is written in a file, "key" or "key=value".
func (l Label) String() string {
	if l.AnyValue {
		return l.Key
	}
	return l.Key + "=" + l.Value
}

// Labels returns the keys of external_ids that the policy looks at, sorted: what a snapshot must hold of each row.
func (p Policy) Labels() []string {
	var keys []string
	for _, l := range slices.Concat(p.ExternalIDs.Allow, p.ExternalIDs.Deny) {
		keys = append(keys, l.Key)
	}
	if len(p.Tags.Allow)+len(p.Tags.Deny) > 0 {
		keys = append(keys, TagsKey)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
