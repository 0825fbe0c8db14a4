package config

import (
	"cmp"
	"slices"

	"ovnbgp/internal/model"
)

// BGP says who speaks BGP, with whom, and how it is told what to announce.
type BGP struct {
	// Speaker is who speaks. Whoever wires the node replaces SpeakerAuto by what it has found there.
	Speaker      Speaker
	AnnounceWith AnnounceWith
	Mode         FRRMode
	// Instance is what BGP must be, but for what the host alone knows: whether the node is drained, and whether it was
	// just booted. It is the zero value when no neighbour is configured and nothing else asks for it.
	Instance model.BGP
	// Attributes are those of every announcement. ByKind are those of some: their communities are added, their local
	// preference counts instead.
	Attributes model.Attributes
	ByKind     map[model.Kind]model.Attributes
}

// Speaker is the BGP implementation.
type Speaker string

// Speakers. Auto is FRR where its sockets are.
const (
	SpeakerAuto     Speaker = "auto"
	SpeakerFRR      Speaker = "frr"
	SpeakerEmbedded Speaker = "embedded"
)

// AnnounceWith is the kernel object that FRR redistributes.
type AnnounceWith string

// Ways to announce: addresses on the NIC of the VRF, or routes in the VRF's table.
const (
	AnnounceAddress AnnounceWith = "address"
	AnnounceRoute   AnnounceWith = "route"
)

// FRRMode says whose FRR's configuration is.
type FRRMode string

// Modes of FRR: the operator's with our leak added; ours as a whole; the operator's, and compared with ours.
const (
	ModeAssist  FRRMode = "assist"
	ModeManaged FRRMode = "managed"
	ModeObserve FRRMode = "observe"
)

// Configured tells whether the settings say what BGP on the node must be. They do not where FRR is the operator's and
// gets the leak alone: neighbours in the settings are ignored then.
func (b BGP) Configured() bool {
	return b.Speaker == SpeakerEmbedded || b.Mode == ModeManaged || b.Mode == ModeObserve
}

// AttributesOf returns what is set on an announcement of these kinds: the communities of all of them; of their local
// preferences the highest, and where none has one that of every announcement.
func (b BGP) AttributesOf(kinds []model.Kind) model.Attributes {
	all := model.Attributes{Communities: slices.Clone(b.Attributes.Communities),
		LargeCommunities: slices.Clone(b.Attributes.LargeCommunities)}
	for _, kind := range kinds {
		of := b.ByKind[kind]
		all.Communities = append(all.Communities, of.Communities...)
		all.LargeCommunities = append(all.LargeCommunities, of.LargeCommunities...)
		if p := of.LocalPreference; p != nil && (all.LocalPreference == nil || *p > *all.LocalPreference) {
			all.LocalPreference = p
		}
	}
	slices.Sort(all.Communities)
	all.Communities = slices.Compact(all.Communities)
	slices.SortFunc(all.LargeCommunities, CompareLarge)
	all.LargeCommunities = slices.Compact(all.LargeCommunities)
	all.LocalPreference = cmp.Or(all.LocalPreference, b.Attributes.LocalPreference)
	return all
}

// CompareLarge orders large communities.
func CompareLarge(a, b model.LargeCommunity) int {
	return cmp.Or(cmp.Compare(a.Global, b.Global), cmp.Compare(a.Local1, b.Local1), cmp.Compare(a.Local2, b.Local2))
}

// Limit is something that is asked for and that a speaker cannot do.
type Limit struct {
	Peer   string // the neighbour that asks for it; "" for none
	Option string // by which it is asked for
	Text   string // why it cannot be done, and what to do
}

// EmbeddedLimits lists what the embedded speaker cannot do of what is asked for.
func (b BGP) EmbeddedLimits() []Limit {
	var limits []Limit
	if len(b.Instance.Raw) > 0 {
		limits = append(limits, Limit{Option: "frr_raw_file",
			Text: "the embedded speaker takes no lines of FRR's; leave it away, or set [bgp] speaker = frr"})
	}
	for _, p := range b.Instance.Peers {
		if p.BFDControlPlane {
			limits = append(limits, Limit{Peer: p.Name, Option: "bfd_check_control_plane", Text: "the embedded speaker ends the " +
				"session whenever BFD does; leave it away, or set [bgp] speaker = frr"})
		}
		if slices.ContainsFunc(p.Families, func(f model.PeerFamily) bool { return f.LimitPrefixes > 0 }) {
			limits = append(limits, Limit{Peer: p.Name, Option: "limit_prefixes", Text: "the embedded speaker does not count " +
				"what it tells; leave it away, or set [bgp] speaker = frr"})
		}
	}
	return limits
}

// EmbeddedDoubts lists what is asked for and that the embedded speaker can do only where the fabric is so: it gives the
// kernel next hops as they are told. Those of a neighbour several hops away are mostly on no link, but need not be.
func (b BGP) EmbeddedDoubts() []Limit {
	var doubts []Limit
	for _, p := range b.Instance.Peers {
		takes := slices.ContainsFunc(p.Families, func(f model.PeerFamily) bool {
			return f.Family != model.EVPN && (f.In.All || f.In.Default || len(f.In.Prefixes) > 0)
		})
		if p.Multihop > 0 && takes {
			doubts = append(doubts, Limit{Peer: p.Name, Option: "multihop", Text: "what the neighbour tells can be installed only if " +
				"its next hop is on a link of this node: the embedded speaker resolves none by other routes; take nothing in from it " +
				"(in = none), or set [bgp] speaker = frr"})
		}
	}
	return doubts
}
