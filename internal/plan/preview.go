package plan

import (
	"fmt"
	"io"
)

// Planned is a step as a value: what a person or a program is shown of it.
type Planned struct {
	Subsystem string   `json:"subsystem"`
	Verb      Verb     `json:"verb"`
	Object    string   `json:"object"`
	Why       string   `json:"why,omitempty"`
	Serves    []string `json:"serves,omitzero"` // announcement keys; absent: all of them
}

// Preview is what a round would do if every step of it went well.
type Preview struct {
	Steps []Planned `json:"steps"`
	// Problems say what could not be read and which steps are therefore not planned, or are held back.
	Problems []string `json:"problems,omitempty"`
	// Unread names the subsystems among the problems: that no step is planned there says nothing.
	Unread []string `json:"unread,omitempty"`
}

// Write prints one line a step, its subsystem before it and the reason behind it, then the problems.
func (p Preview) Write(w io.Writer) error {
	width := 0
	for _, s := range p.Steps {
		width = max(width, len(s.Subsystem))
	}
	for _, s := range p.Steps {
		line := fmt.Sprintf("%-*s  %s %s", width, s.Subsystem, s.Verb, s.Object)
		if s.Why != "" {
			line += "  # " + s.Why
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	for _, problem := range p.Problems {
		if _, err := fmt.Fprintln(w, "! "+problem); err != nil {
			return err
		}
	}
	return nil
}
