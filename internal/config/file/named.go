package file

import (
	"maps"
	"slices"
	"strings"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// named are the groups that may come any number of times, each under a name of its own: "[bgp_peer:leaf1]". Parts of
// one group in several places are one group, and of an option that is written twice the later counts, as everywhere.
type named struct {
	peers    map[string]*peer
	profiles map[string]*profile
	kinds    map[model.Kind]*kindAttributes
	hosts    map[string]*config.HostAddress
}

func (n *named) init() {
	n.peers, n.profiles, n.kinds = map[string]*peer{}, map[string]*profile{}, map[model.Kind]*kindAttributes{}
	n.hosts = map[string]*config.HostAddress{}
}

type profile struct{ model.BFDProfile }

type kindAttributes struct{ attributes model.Attributes }

// family splits "bgp_peer:leaf1".
func family(groupName string) (family, name string, isNamed bool) { return strings.Cut(groupName, ":") }

// instances makes the options of every named group that the files open. A group without any option is one, too: what
// it lacks is said of it.
func (l *loader) instances() (named, []option) {
	var n named
	n.init()
	var all []option
	for _, groupName := range slices.Sorted(maps.Keys(l.opened)) {
		of, name, isNamed := family(groupName)
		i := slices.IndexFunc(groups(), func(g group) bool { return g.Named != nil && g.Name == of })
		if i < 0 {
			continue // for unknown to report
		}
		if no := groups()[i].refuses(name); !isNamed || no != "" {
			l.problems = append(l.problems, l.ofGroup(groupName, no))
		}
		// The options of a group with a wrong name are looked at all the same, so that all mistakes are told at once.
		all = append(all, inGroup(groupName, groups()[i].Named(&n, name))...)
	}
	return n, all
}

// ofGroup is a problem of a group as a whole, where it is opened last.
func (l *loader) ofGroup(name, text string) Problem {
	at := l.opened[name][len(l.opened[name])-1]
	return Problem{File: at.File, Line: at.Line, Option: "[" + name + "]", Text: text}
}

// refuses says why a group cannot have a name: "" when it can.
func (g group) refuses(name string) string {
	switch {
	case name == "":
		return "needs a name: [" + g.Name + ":NAME]"
	case g.Names != nil && !slices.Contains(g.Names, name):
		return "the name must be " + oneOf(g.Names)
	case !isName(name):
		return "the name must be at most " + decimal(maxName) + " small letters, digits, dots, underscores and hyphens"
	case slices.Contains(g.Taken, name):
		return name + " is built in, and the same everywhere; choose another name"
	}
	return ""
}

// meant finds the group that a name is perhaps a slip of: one of ours, since those the old agent had are warned about
// and no more. It returns "" where no group is near.
func meant(groupName string) string {
	of := groupName
	if i := strings.IndexAny(groupName, ":. "); i >= 0 {
		of = groupName[:i]
	}
	plain := strings.NewReplacer("-", "", "_", "")
	for _, g := range groups() {
		shape := "[" + g.Name + "]"
		if g.Named != nil {
			shape = "[" + g.Name + ":NAME]"
		}
		if g.Ours && (near(of, g.Name) || plain.Replace(of) == plain.Replace(g.Name) ||
			g.Named != nil && strings.HasPrefix(plain.Replace(of), plain.Replace(g.Name))) {
			return shape
		}
	}
	return ""
}

// near tells whether two names differ by no more than a slip: one letter in five, and two at most.
func near(a, b string) bool {
	return distance(a, b) <= min(2, max(len(a), len(b))/5)
}

// distance counts the letters to put in, take out or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
