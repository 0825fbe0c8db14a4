package file

import (
	"fmt"
	"slices"
	"strings"
)

// interpolation replaces $name, ${name} and ${group.name} by the value of that option, as oslo.config does: a bare
// name is looked up in the group of the value and then in [DEFAULT]. "$$" and "\$" stand for a dollar sign, and so
// does one that no name follows.
type interpolation struct {
	*loader
	table []option
	// found holds what was looked up before, so that references of references are walked once; a reference under
	// way is there with an error, which only a circle meets.
	found map[spelling]expansion
}

type expansion struct {
	text string
	err  error
}

// maxExpanded ends references that double what they refer to, again and again.
const maxExpanded = 1 << 16

// expand returns the value with every reference replaced.
func (in interpolation) expand(value, group string) (string, error) {
	var b strings.Builder
	for {
		if b.Len() > maxExpanded {
			return "", fmt.Errorf("is longer than %d bytes with all its references", maxExpanded)
		}
		before, after, found := strings.Cut(value, "$")
		if escaped, ok := strings.CutSuffix(before, `\`); found && ok {
			b.WriteString(escaped + "$")
			value = after
			continue
		}
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			value = rest
			continue
		}
		name, rest := reference(after)
		if name == "" {
			b.WriteByte('$')
			value = after
			continue
		}
		text, err := in.lookUp(name, group)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		value = rest
	}
}

// reference splits "name rest" or "{name}rest"; the name is empty when there is none.
func reference(s string) (name, rest string) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, rest, closed := strings.Cut(inner, "}")
		if !closed || nameLength(name) != len(name) {
			return "", s
		}
		return name, rest
	}
	n := nameLength(s)
	return s[:n], s[n:]
}

// nameLength counts the leading bytes that may be part of an option's name: a letter or underscore, then also
// digits, and dots between.
func nameLength(s string) int {
	n := 0
	for n < len(s) {
		c := s[n]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (n == 0 || c != '.' && (c < '0' || c > '9')) {
			break
		}
		n++
	}
	for n > 0 && s[n-1] == '.' {
		n--
	}
	return n
}

func (in interpolation) lookUp(name, group string) (string, error) {
	candidates := []spelling{{group, name}, {"DEFAULT", name}}
	if g, option, ok := strings.Cut(name, "."); ok {
		candidates = []spelling{{g, option}}
	}
	for _, s := range candidates {
		value, s, known := in.written(s)
		if !known {
			continue
		}
		before, ok := in.found[s]
		if !ok {
			in.found[s] = expansion{err: fmt.Errorf("$%s refers to itself", name)}
			before.text, before.err = in.expand(value, s.Group)
			in.found[s] = before
		}
		return before.text, before.err
	}
	return "", fmt.Errorf("$%s: no such option; a dollar sign is written $$", name)
}

// written returns an option's value as it stands in the files or the table, and under which spelling.
func (in interpolation) written(s spelling) (value string, at spelling, known bool) {
	spellings := []spelling{s}
	i := slices.IndexFunc(in.table, func(o option) bool { return o.spelling() == s || slices.Contains(o.AlsoIn, s) })
	if i >= 0 {
		value, s, known = in.table[i].Default, in.table[i].spelling(), true
		spellings = append([]spelling{s}, in.table[i].AlsoIn...)
	}
	if e, ok := in.last(spellings...); ok {
		return e.value, spelling{e.group, e.name}, true
	}
	return value, s, known
}
