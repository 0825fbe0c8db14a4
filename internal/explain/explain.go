// Package explain answers why an address is, or is not, announced by this node. It joins what the databases say,
// what was decided and, where the agent runs, how that went, into four questions in their order: is it known,
// wanted, built, announced? The first that is not answered with yes is the reason. Start at Address.
package explain

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
)

// Result is the answer to one question.
type Result string

// Results. Moot says that the question does not arise: what is not wanted need not be built.
const (
	Yes     Result = "yes"
	No      Result = "no"
	Unknown Result = "unknown"
	Moot    Result = "-"
)

// Check is one question, its answer and what proves it.
type Check struct {
	Question string `json:"question"` // "known", "wanted", "built", "announced"
	Result   Result `json:"result"`
	Text     string `json:"text,omitempty"`
}

// Answer is all that can be said about one address.
type Answer struct {
	Address netip.Addr `json:"address"`
	Key     string     `json:"key"`
	Checks  []Check    `json:"checks"` // known, wanted, built, announced
	// Why is the sentence that answers the question, and Fix what an operator could do about it.
	Why string `json:"why"`
	Fix string `json:"fix,omitempty"`
	// Node is the host or chassis that has, or should have, the address.
	Node string `json:"node,omitempty"`
	// Decisions are all that concern the address, the deciding one first.
	Decisions []model.Decision `json:"decisions"`
	Objects   []Object         `json:"objects,omitempty"`
}

// Object is something that carries or announces an address, and how it fares.
type Object struct {
	Text  string `json:"text"`            // in its subsystem's words: "route 203.0.113.9/32 dev br-ex table 17900"
	OK    bool   `json:"ok"`              // it is there as it should be
	State string `json:"state"`           // "in place", "failed", "withheld", …
	Error string `json:"error,omitempty"` // why not
}

// Status is how one announcement fares on the node, as an agent knows it or as a look at the node tells.
type Status struct {
	// Objects are those that serve the address.
	Objects []Object
	// Unread names the subsystems that could not be read: whether all is in place is then not known.
	Unread []string
	// Announced tells whether the world is told of it now; nil when that could not be read.
	Announced *bool
	// Held is set when the guard keeps the announcement though it is not wanted any more: the reason.
	Held string
	// Fabric is what came of an announcement at the BGP speaker; nil when that was not asked.
	Fabric *Fabric
}

// Fabric says which BGP neighbours the speaker tells of an address.
type Fabric struct {
	// Told are these neighbours, sorted, as far as the speaker says.
	Told []string
	// Silent says why it tells none; "" when it tells some.
	Silent string
	// Unknown says why the speaker cannot say.
	Unknown string
}

// Address answers for one address. status may be nil: then the agent was not asked, and whether the address is
// built and announced is unknown.
func Address(in desired.Input, c config.Node, a netip.Addr, status *Status) Answer {
	d := desired.Why(in, c, a)
	answer := Answer{Address: a, Key: d.Key, Node: d.Node, Decisions: decisions(in, c, d)}
	if status != nil {
		answer.Objects = status.Objects
	}
	answer.Checks = []Check{known(d), wanted(d), built(d, status), announced(d, status)}
	answer.Why, answer.Fix = why(answer.Checks, d, status)
	return answer
}

// decisions puts the deciding one first and the others of the address behind it.
func decisions(in desired.Input, c config.Node, first model.Decision) []model.Decision {
	_, all := desired.Node(in, c)
	all = slices.DeleteFunc(all, func(d model.Decision) bool { return d.Address != first.Address || d == first })
	return append([]model.Decision{first}, all...)
}

func known(d model.Decision) Check {
	if d.Verdict == model.Unknown {
		return Check{"known", No, d.Text}
	}
	return Check{"known", Yes, d.Row}
}

func wanted(d model.Decision) Check {
	c := Check{Question: "wanted", Result: No, Text: d.Text}
	switch d.Verdict {
	case model.Announced:
		c.Result = Yes
	case model.Elsewhere:
		c.Text += ": not this node's"
	case model.Unknown:
		c.Result, c.Text = Moot, ""
	case model.Suppressed, model.Unplaced:
	}
	return c
}

func built(d model.Decision, s *Status) Check {
	c := Check{Question: "built", Result: Moot}
	switch {
	case d.Verdict != model.Announced:
		return c
	case s == nil:
		c.Result, c.Text = Unknown, "the agent was not asked"
		return c
	}
	for _, o := range s.Objects {
		if !o.OK {
			c.Result, c.Text = No, describe(o)
			return c
		}
	}
	switch {
	case len(s.Unread) > 0:
		c.Result, c.Text = Unknown, "cannot be read now: "+strings.Join(s.Unread, ", ")
	case len(s.Objects) == 0:
		c.Result, c.Text = Unknown, "nothing is known of what serves it"
	default:
		c.Result, c.Text = Yes, fmt.Sprintf("%d objects in place", len(s.Objects))
	}
	return c
}

func describe(o Object) string {
	text := o.Text + ": " + o.State
	if o.Error != "" {
		text += ": " + o.Error
	}
	return text
}

func announced(d model.Decision, s *Status) Check {
	c := Check{Question: "announced", Result: Moot}
	switch {
	case s == nil && d.Verdict != model.Announced:
		return c
	case s == nil:
		c.Result, c.Text = Unknown, "the agent was not asked"
	case s.Announced == nil:
		c.Result, c.Text = Unknown, "what is announced could not be read"
	case *s.Announced && s.Fabric != nil && s.Fabric.Unknown != "":
		c.Result, c.Text = Unknown, s.Fabric.Unknown
	case *s.Announced && s.Fabric != nil && s.Fabric.Silent != "":
		c.Result, c.Text = No, s.Fabric.Silent
	case *s.Announced:
		c.Result, c.Text = Yes, d.Key
		if s.Held != "" {
			c.Text = "held: " + s.Held
		}
		if s.Fabric != nil && len(s.Fabric.Told) > 0 {
			c.Text += ", to " + strings.Join(s.Fabric.Told, ", ")
		}
	default:
		c.Result, c.Text = No, "by this node's agent" // FRR's own configuration may have it too
	}
	return c
}

// why is the first thing that is not as it should be, else the reason of the announcement.
func why(checks []Check, d model.Decision, s *Status) (text, fix string) {
	if d.Verdict != model.Announced {
		return d.Text, d.Fix
	}
	for _, c := range checks[2:] {
		switch {
		case c.Result == No && c.Question == "built":
			return "not built: " + c.Text, ""
		case c.Result == No && s != nil && s.Fabric != nil && s.Fabric.Silent != "":
			return "built, and not heard by the fabric: " + c.Text, ""
		case c.Result == No:
			return "built, and not announced yet", ""
		}
	}
	return d.Text, d.Fix
}

// Write prints the answer for people.
func (a Answer) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, a.Address)
	for _, c := range a.Checks {
		fmt.Fprintf(&b, "  %s\t%s\t%s\n", c.Question, c.Result, c.Text)
	}
	fmt.Fprintf(&b, "  why\t\t%s\n", a.Why)
	if a.Fix != "" {
		fmt.Fprintf(&b, "  fix\t\t%s\n", a.Fix)
	}
	if a.Node != "" {
		fmt.Fprintf(&b, "  node\t\t%s\n", a.Node)
	}
	for i, d := range a.Decisions {
		if i > 0 {
			fmt.Fprintf(&b, "  also\t%s\t%s [%s]\n", d.Verdict, d.Text, d.Row)
		}
	}
	for _, o := range a.Objects {
		fmt.Fprintf(&b, "  object\t%s\t%s\n", o.State, o.Text)
	}
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(columns, b.String()); err != nil {
		return err
	}
	return columns.Flush()
}
