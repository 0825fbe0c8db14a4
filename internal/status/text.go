package status

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"ovnbgp/internal/plan"
)

// Judge sets the report's verdict, the sentence behind it and readiness from its other fields.
func (r *Report) Judge() {
	r.Ready = r.Synced && r.Source.InSync &&
		!slices.ContainsFunc(r.Subsystems, func(s Subsystem) bool { return !s.Read })
	count := fmt.Sprintf("%d of %d announced", r.told(), r.Wanted)
	switch {
	case !r.Source.InSync && !r.Synced:
		r.Verdict, r.Text = Starting, "the source is not in sync yet: "+r.Source.Err
	case !r.Source.InSync:
		r.Verdict, r.Text = Stopped, "nothing is decided anew, what was wanted last is kept: "+r.Source.Err
	case r.Held != nil:
		r.Verdict, r.Text = Degraded, count+"; "+HeldText(r.Held)
	case r.Refused != nil:
		r.Verdict, r.Text = Degraded, count+"; a changed configuration is refused, the old one is in force"
	case len(r.Troubles) > 0:
		r.Verdict, r.Text = Degraded, fmt.Sprintf("%s, %s in trouble", count, objects(len(r.Troubles)+r.MoreTroubles))
	case len(r.Rounds) > 0 && r.Rounds[0].Result != "ok":
		r.Verdict, r.Text = Degraded, count+", the last round ended "+r.Rounds[0].Result
	case r.down() > 0:
		r.Verdict, r.Text = Degraded, fmt.Sprintf("%s, %d of %d BGP neighbours down", count, r.down(), len(r.Peers))
	default:
		r.Verdict, r.Text = OK, count
	}
	if !r.DrainedSince.IsZero() {
		r.Text += "; drained"
	}
}

// told counts the announced keys that are not held, so that "11 of 12" means one is missing.
func (r *Report) told() int {
	if r.Held == nil {
		return len(r.Announced)
	}
	return len(r.Announced) - len(r.Held.Keys)
}

// down counts the neighbours without a session: what is announced does not reach them.
func (r *Report) down() (n int) {
	for _, p := range r.Peers {
		if p.Down() {
			n++
		}
	}
	return n
}

func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

// HeldText says what the guard holds, in a sentence.
func HeldText(h *Held) string {
	var parts []string
	if len(h.Keys) > 0 {
		count := map[HeldClass]int{}
		for _, k := range h.Keys {
			count[k.Class]++
		}
		var classes []string
		for _, c := range []HeldClass{HeldDoubtful, HeldUnexplained, HeldDatabase, HeldUnread} {
			if count[c] > 0 {
				classes = append(classes, fmt.Sprintf("%d %s", count[c], c))
			}
		}
		parts = append(parts, fmt.Sprintf("%d withdrawals held (%s)", len(h.Keys), strings.Join(classes, ", ")))
	}
	if h.Database != "" {
		parts = append(parts, "database "+h.Database+" is not the one known")
	}
	return strings.Join(parts, "; ")
}

// Bounds of one screen; `-o json` has everything.
const (
	screenTroubles = 12
	screenRemarks  = 10
	screenRounds   = 3
)

// Write prints the report as aligned text on about one screen, the verdict first.
func Write(w io.Writer, r Report) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s: %s\n", r.Verdict, r.Text)
	if r.Held != nil {
		writeHeld(&out, r)
	}
	if r.Refused != nil {
		writeRefused(&out, r)
	}
	out.WriteString("\n")
	table(&out, func(t *bytes.Buffer) {
		if r.Version != "" {
			fmt.Fprintf(t, "version\t%s\n", r.Version)
		}
		fmt.Fprintf(t, "source\t%s\n", sourceText(r))
		fmt.Fprintf(t, "announced\t%d of %d wanted%s\n", r.told(), r.Wanted, withheldText(r))
		if !r.DrainedSince.IsZero() {
			fmt.Fprintf(t, "drained\tsince %s; `ovnbgp undrain` ends it\n", ago(r.Time, r.DrainedSince))
		}
		if r.Speaker != "" {
			fmt.Fprintf(t, "BGP speaker\t%s\n", r.Speaker)
		}
		writeLearned(t, r.Learned)
		if !r.LastGood.IsZero() {
			fmt.Fprintf(t, "last good round\t%s\n", ago(r.Time, r.LastGood))
		}
	})
	writePeers(&out, r)
	writeSubsystems(&out, r)
	writeDecisions(&out, r)
	writeRemarks(&out, r)
	writeTroubles(&out, r)
	writeRounds(&out, r)
	_, err := w.Write(out.Bytes())
	return err
}

// table aligns columns that are separated by tabs.
func table(out *bytes.Buffer, rows func(*bytes.Buffer)) {
	var text bytes.Buffer
	rows(&text)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = t.Write(text.Bytes()) // a buffer takes everything
	_ = t.Flush()
}

// list writes rows as a table below an empty line; of no rows nothing.
func list[T any](out *bytes.Buffer, header string, rows []T, row func(*bytes.Buffer, T)) {
	if len(rows) == 0 {
		return
	}
	out.WriteString("\n")
	table(out, func(t *bytes.Buffer) {
		fmt.Fprintln(t, header)
		for _, x := range rows {
			row(t, x)
		}
	})
}

// writeMore ends a list with how many more there are than it shows, if any.
func writeMore(out *bytes.Buffer, indent string, more int) {
	if more > 0 {
		fmt.Fprintf(out, "%sand %d more\n", indent, more)
	}
}

func writeHeld(out *bytes.Buffer, r Report) {
	fmt.Fprintf(out, "  held since %s", ago(r.Time, r.Held.Since))
	if !r.Held.Release.IsZero() {
		fmt.Fprintf(out, ", let go in %s", r.Held.Release.Sub(r.Time).Round(time.Second))
	}
	fmt.Fprintf(out, "; to let go now: %s\n", r.Held.Accept)
	for _, k := range r.Held.Keys[:min(len(r.Held.Keys), screenTroubles)] {
		fmt.Fprintf(out, "  %s  %s  %s\n", k.Key, k.Class, k.Text)
	}
	writeMore(out, "  ", len(r.Held.Keys)-screenTroubles)
}

func writeRefused(out *bytes.Buffer, r Report) {
	fmt.Fprintf(out, "  configuration refused %s, the one before it is in force:\n", ago(r.Time, r.Refused.Since))
	for _, p := range r.Refused.Problems[:min(len(r.Refused.Problems), screenTroubles)] {
		fmt.Fprintf(out, "  %s\n", p)
	}
	writeMore(out, "  ", len(r.Refused.Problems)-screenTroubles)
}

func sourceText(r Report) string {
	text := "not in sync"
	if r.Source.InSync {
		text = "in sync"
	}
	if !r.Source.Since.IsZero() {
		text += " since " + ago(r.Time, r.Source.Since)
	}
	if r.Source.Database != "" {
		text += ", database " + strings.TrimSpace(r.Source.Name+" "+r.Source.Database)
	}
	return text
}

func withheldText(r Report) string {
	if len(r.Withheld) == 0 {
		return ""
	}
	return fmt.Sprintf(", %d withheld", len(r.Withheld))
}

func writeSubsystems(out *bytes.Buffer, r Report) {
	list(out, "SUBSYSTEM\tROLE\tREAD\tWRITES\tOBJECTS", r.Subsystems, func(t *bytes.Buffer, s Subsystem) {
		read := "yes"
		if !s.Read {
			read = "no: " + s.Err
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", s.Name, s.Role, read, s.Writes, countText(r.Counts, s.Name))
	})
}

// countText returns "12 rule, 11 of 12 route".
func countText(counts []Count, subsystem string) string {
	var parts []string
	for _, c := range counts {
		switch {
		case c.Subsystem != subsystem || c.Wanted == 0 && c.Troubled == 0:
		case c.Troubled > 0:
			parts = append(parts, fmt.Sprintf("%d of %d %s", c.Wanted-c.Troubled, c.Wanted, c.Kind))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", c.Wanted, c.Kind))
		}
	}
	return strings.Join(parts, ", ")
}

func writeDecisions(out *bytes.Buffer, r Report) {
	list(out, "DECISION\tREASON\tADDRESSES", r.Decisions, func(t *bytes.Buffer, d ReasonCount) {
		fmt.Fprintf(t, "%s\t%s\t%d\n", d.Verdict, d.Reason, d.Count)
	})
}

func writeRemarks(out *bytes.Buffer, r Report) {
	shown := r.Remarks[:min(len(r.Remarks), screenRemarks)]
	list(out, "REMARK\tON\tTEXT", shown, func(t *bytes.Buffer, m Remark) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.Reason, m.Row, m.Text)
	})
	writeMore(out, "", len(r.Remarks)-len(shown)+r.MoreRemarks)
}

func writeTroubles(out *bytes.Buffer, r Report) {
	shown := r.Troubles[:min(len(r.Troubles), screenTroubles)]
	list(out, "STATE\tSUBSYSTEM\tOBJECT\tSINCE\tTRIES\tERROR", shown, func(t *bytes.Buffer, o Object) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", o.State, o.Subsystem, strings.TrimSpace(string(o.Verb)+" "+o.Object),
			ago(r.Time, o.Since), o.Tries, strings.ReplaceAll(o.Err, "\n", "; "))
	})
	writeMore(out, "", len(r.Troubles)-len(shown)+r.MoreTroubles)
}

func writeRounds(out *bytes.Buffer, r Report) {
	shown := r.Rounds[:min(len(r.Rounds), screenRounds)]
	list(out, "ROUND\tCAUSE\tTOOK\tSTEPS\tRESULT", shown, func(t *bytes.Buffer, o Round) {
		took := time.Duration(o.Seconds * float64(time.Second)).Round(100 * time.Microsecond)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", ago(r.Time, o.At), strings.Join(o.Triggers, "+"), took, stepText(o), o.Result)
	})
}

// stepText returns "create 3, delete 1, 2 failed".
func stepText(o Round) string {
	var parts []string
	for _, v := range []plan.Verb{plan.Create, plan.Update, plan.Adopt, plan.Delete} {
		if n := o.Steps[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", v, n))
		}
	}
	if o.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", o.Failed))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(slices.Clip(parts), ", ")
}

// ago words how long before now a moment was.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return d.Truncate(time.Second).String() + " ago"
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}
