package file

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// entry is one assignment as written.
type entry struct {
	place
	group, name string
	value       string // continuation lines joined by newlines, outer quotes gone
	raw         string // the same with its outer quotes: a list has quotes of its own
}

// place is where something stands.
type place struct {
	File string
	Line int
}

// reader takes one file apart by oslo.config's rules:
//
//   - a group is "[name]" at the start of a line; names other than DEFAULT are lower-cased; a group may come again
//   - an assignment is "name = value" or "name: value", whichever sign comes first, at the start of a line
//   - a line that starts with blank or tab continues the value above it, whatever it holds, also a "#"
//   - "#" and ";" start a comment only at the start of a line
//   - a value in one pair of quotes loses them
//
// Unlike oslo it goes on after a mistake, so that all of them are reported at once.
type reader struct {
	file     string
	group    string
	opened   map[string]int // group → line it was first opened at
	open     bool           // an assignment may be continued
	entries  []entry
	problems []Problem
	warnings []Problem
}

// noGroup stands for the time before the first group line, badGroup for what follows a broken one.
const (
	noGroup  = ""
	badGroup = "\x00"
)

func read(file, text string) *reader {
	r := &reader{file: file, opened: map[string]int{}}
	if line, ok := binaryLine(text); ok {
		r.problem(line, "", "not a text file: a NUL byte or something that is not UTF-8")
		return r
	}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	for i, line := range strings.Split(text, "\n") {
		r.line(i+1, strings.TrimRightFunc(line, unicode.IsSpace))
	}
	return r
}

func binaryLine(text string) (int, bool) {
	for i, line := range strings.Split(text, "\n") {
		if strings.ContainsRune(line, 0) || !utf8.ValidString(line) {
			return i + 1, true
		}
	}
	return 0, false
}

func (r *reader) line(number int, line string) {
	switch {
	case line == "":
		r.open = false
	case line[0] == ' ' || line[0] == '\t':
		r.continuation(number, line)
	case line[0] == '[':
		r.open = false
		r.groupLine(number, line)
	case line[0] == '#' || line[0] == ';':
		r.open = false
	default:
		r.assignment(number, line)
	}
}

func (r *reader) continuation(number int, line string) {
	if !r.open {
		r.problem(number, line, "an indented line continues a value, and there is none above it")
		return
	}
	if r.group == badGroup || r.group == noGroup {
		return
	}
	last := &r.entries[len(r.entries)-1]
	more := "\n" + strings.TrimLeftFunc(line, unicode.IsSpace)
	last.value += more
	last.raw += more
}

func (r *reader) groupLine(number int, line string) {
	name, closed := strings.CutSuffix(line[1:], "]")
	switch {
	case !closed:
		r.problem(number, line, "a group's name must end with ]")
		r.group = badGroup
		return
	case name == "":
		r.problem(number, line, "the group has no name")
		r.group = badGroup
		return
	case name != "DEFAULT":
		name = strings.ToLower(name)
	}
	r.group = name
	if first, again := r.opened[name]; again {
		r.warnings = append(r.warnings, Problem{File: r.file, Line: number, Option: "[" + name + "]",
			Text: "the group was opened before, at line " + decimal(first) + "; both parts count"})
		return
	}
	r.opened[name] = number
}

func (r *reader) assignment(number int, line string) {
	r.open = false
	sign := strings.IndexAny(line, ":=")
	if sign < 0 {
		r.problem(number, line, `no "=" after the option's name`)
		return
	}
	name := strings.TrimSpace(line[:sign])
	if name == "" {
		r.problem(number, line, `no option's name before the "="`)
		return
	}
	r.open = true
	switch r.group {
	case badGroup: // reported once, at the group's line
	case noGroup:
		r.problem(number, line, "the option stands before any group; put [DEFAULT] above it")
	default:
		raw := strings.TrimSpace(line[sign+1:])
		r.entries = append(r.entries, entry{place: place{r.file, number}, group: r.group, name: name,
			value: unquote(raw), raw: raw})
	}
}

func (r *reader) problem(number int, line, text string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: number, Value: line, Text: text})
}

// unquote takes one pair of equal quotes away.
func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// splitList splits a list at its commas, but not within quotes, and drops empty items. As in oslo.config's lists a quote
// counts where an item begins, and the item ends with it; within a word it is a letter like others. A list that is quoted
// as a whole is, for those whose items have no comma in them, split as if it were not.
func splitList(raw string, commas bool) ([]string, error) {
	if inner := unquote(raw); !commas && inner != raw && !strings.ContainsRune(inner, rune(raw[0])) {
		raw = inner
	}
	var items []string
	for rest := raw; rest != ""; {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		end := strings.IndexAny(rest, ",\n")
		if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			closing := strings.IndexByte(rest[1:], rest[0])
			if closing < 0 {
				return nil, fmt.Errorf("the quote that opens %s is not closed", strings.TrimSpace(rest))
			}
			after := rest[closing+2:]
			if end = strings.IndexAny(after, ",\n"); end < 0 {
				end = len(after)
			}
			if more := strings.TrimSpace(after[:end]); more != "" {
				return nil, fmt.Errorf("%s stands behind the quote that closes %s; want a comma", more, rest[:closing+2])
			}
			end += closing + 2
		}
		if end < 0 {
			end = len(rest)
		}
		if item := unquote(strings.TrimSpace(rest[:end])); item != "" {
			items = append(items, item)
		}
		rest = rest[min(end+1, len(rest)):]
	}
	return items, nil
}
