package file

import (
	"strconv"
	"strings"
)

// Problem is one thing wrong with a file, or worth a warning.
type Problem struct {
	File   string
	Line   int    // 0: the file as a whole
	Option string // "[DEFAULT] bgp_AS"; "" where the line is no assignment
	Value  string // as written
	Text   string // what is wrong, and what is allowed
}

// String returns "bgp-agent.conf:12: [DEFAULT] bgp_AS = "x": must be …".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + decimal(p.Line))
	}
	b.WriteString(": ")
	switch {
	case p.Option != "" && p.Value != "":
		b.WriteString(p.Option + " = " + quote(p.Value) + ": ")
	case p.Option != "":
		b.WriteString(p.Option + ": ")
	case p.Value != "":
		b.WriteString(quote(p.Value) + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// quote quotes a value; of a very long one only the beginning.
func quote(value string) string {
	const most = 100
	if len(value) <= most {
		return strconv.Quote(value)
	}
	return strconv.Quote(value[:most]) + "…"
}

// Problems are the problems of all files, in the order of the files. As an error it has one line for each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// orNil avoids an error that is not nil and holds nothing.
func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func decimal(n int) string { return strconv.Itoa(n) }
