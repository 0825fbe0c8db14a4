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
			i := slices.IndexFunc(groups(), func(g group) bool { return g.Name == e.group })
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

// isForeign tells oslo's own options, which may be written with hyphens.
func isForeign(e entry) bool {
	return e.group == "DEFAULT" && slices.Contains(foreign(), strings.ReplaceAll(e.name, "-", "_"))
}

func (l *loader) reportUnknown(e entry, groupIndex int, table []option) {
	p := Problem{File: e.File, Line: e.Line, Option: spelling{e.group, e.name}.String(), Text: "no such option"}
	if groupIndex < 0 {
		p.Option, p.Text = "["+e.group+"]", "no such group; its options are ignored"
		if e.group == "default" {
			p.Text += " (the group is written [DEFAULT])"
		}
		l.warnings = append(l.warnings, p)
		return
	}
	if i := slices.IndexFunc(table, func(o option) bool { return strings.EqualFold(o.Name, e.name) }); i >= 0 {
		p.Text += "; meant is perhaps " + table[i].spelling().String()
	}
	if groups()[groupIndex].Ours {
		l.problems = append(l.problems, p)
		return
	}
	p.Text += "; it is ignored"
	l.warnings = append(l.warnings, p)
}
