package file

import (
	"strings"
)

//go:generate go test . -run TestReferenceInDocs -update-docs

// Reference returns a file that holds every option as a comment, with its default, what it may be and what it
// means. Read as it stands, or with the options' comment signs taken away, it gives the defaults.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Every option, its default and its meaning. Made from the table of options; do not edit.\n")
	for _, g := range groups() {
		if g.Named != nil {
			describeNamed(&b, g)
			continue
		}
		b.WriteString("\n[" + g.Name + "]\n")
		comment(&b, g.Help)
		for _, o := range options(&speech{}) {
			if o.Group == g.Name {
				describe(&b, o)
			}
		}
	}
	return b.String()
}

func describe(b *strings.Builder, o option) {
	b.WriteString("\n")
	comment(b, o.Help)
	comment(b, "Must be "+o.allowed+".")
	if o.Built != nil && len(o.Built) < len(o.Values) {
		comment(b, "Built so far: "+strings.Join(o.Built, ", ")+".")
	}
	for _, s := range o.AlsoIn {
		if s.Name != o.Name {
			comment(b, s.String()+" means the same.")
		}
	}
	b.WriteString(strings.TrimRight("#"+o.Name+" = "+o.Default, " ") + "\n")
}

// describeNamed describes a group that may come several times. All of it is comment: there is no such group until
// somebody names one.
func describeNamed(b *strings.Builder, g group) {
	b.WriteString("\n# [" + g.Name + ":NAME]\n")
	comment(b, g.Help)
	var n named
	n.init()
	for _, o := range inGroup(g.Name+":NAME", g.Named(&n, "NAME")) {
		b.WriteString("#\n")
		comment(b, o.Help)
		comment(b, "Must be "+o.allowed+".")
		b.WriteString(strings.TrimRight(exampleSign+o.Name+" = "+o.Default, " ") + "\n")
	}
	b.WriteString("#\n# For example:\n#\n")
	for line := range strings.Lines(g.Example) {
		b.WriteString(strings.TrimRight(exampleSign+strings.TrimRight(line, "\n"), " ") + "\n")
	}
}

// exampleSign begins the lines of an example.
const exampleSign = "#   "

// comment writes text as lines of at most 100 columns.
func comment(b *strings.Builder, text string) {
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 100 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
