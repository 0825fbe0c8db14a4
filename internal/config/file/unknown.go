package file

import (
	"slices"
	"strings"
)

// unknown reports what nobody reads: a warning where the old agent had such a group, since it never minded; a
// mistake in a group of ours. A whole group that nobody knows is reported once a file.
func (l *loader) unknown(table []option) {
	known := map[spelling]bool{}
	for _, o := range table {
		known[o.spelling()] = true
		for _, also := range o.AlsoIn {
			known[also] = true
		}
	}
	for _, entries := range l.byFile {
		reported := map[spelling]bool{} // one warning for each, however often it is repeated
		for _, e := range entries {
			s := spelling{e.group, e.name}
			if known[s] || isForeign(e) {
				continue
			}
			i := groupIndex(e.group)
			if i < 0 {
				s.Name = ""
			}
			if reported[s] {
				continue
			}
			reported[s] = true
			l.reportUnknown(e, i, table)
		}
	}
}

// groupIndex finds the group that options of this one belong to: -1 when nobody knows it.
func groupIndex(name string) int {
	of, _, isNamed := family(name)
	return slices.IndexFunc(groups(), func(g group) bool { return g.Name == of && (g.Named != nil || !isNamed) })
}

// isForeign tells oslo's own options, which may be written with hyphens.
func isForeign(e entry) bool {
	return e.group == "DEFAULT" && slices.Contains(foreign(), strings.ReplaceAll(e.name, "-", "_"))
}

func (l *loader) reportUnknown(e entry, groupIndex int, table []option) {
	p := Problem{File: e.File, Line: e.Line, Option: spelling{e.group, e.name}.String(), Text: "no such option"}
	if groupIndex < 0 {
		p.Option, p.Text = "["+e.group+"]", "no such group"
		if shape := meant(e.group); shape != "" {
			p.Text += "; meant is perhaps " + shape // whoever wrote it relies on it
			l.problems = append(l.problems, p)
			return
		}
		p.Text += "; its options are ignored"
		if written := properGroup(e.group); written != "" {
			p.Text += " (the group is written [" + written + "])"
		}
		l.warnings = append(l.warnings, p)
		return
	}
	if o, ok := meantOption(e, table, groups()[groupIndex].Ours); ok {
		p.Text += "; meant is perhaps " + o.spelling().String()
	}
	if groups()[groupIndex].Ours {
		l.problems = append(l.problems, p)
		return
	}
	p.Text += "; it is ignored"
	l.warnings = append(l.warnings, p)
}

// properGroup is how a group is written that was given blanks, or DEFAULT in another case; "" where neither is it.
func properGroup(name string) string {
	name = strings.TrimSpace(name)
	switch {
	case strings.EqualFold(name, "DEFAULT"):
		return "DEFAULT"
	case groupIndex(name) >= 0:
		return name
	}
	return ""
}

// meantOption finds the option that a name is perhaps a slip of: of the same group, else one that another group
// has under that name. The old agent's options that we do not have are no slips of those we have.
func meantOption(e entry, table []option, ours bool) (option, bool) {
	slips := []func(o option) bool{
		func(o option) bool { return o.Group == e.group && strings.EqualFold(o.Name, e.name) },
		func(o option) bool { return ours && o.Group == e.group && near(o.Name, strings.ToLower(e.name)) },
		func(o option) bool { return ours && o.Group == e.group && begins(o.Name, e.name) },
		func(o option) bool { return !strings.Contains(o.Group, ":") && strings.EqualFold(o.Name, e.name) },
	}
	for _, slip := range slips {
		if i := slices.IndexFunc(table, slip); i >= 0 {
			return table[i], true
		}
	}
	return option{}, false
}

// begins tells whether one name is the beginning of the other: "password" and "password_file".
func begins(a, b string) bool {
	return min(len(a), len(b)) >= 4 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}
