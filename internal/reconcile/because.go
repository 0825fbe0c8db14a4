package reconcile

import (
	"fmt"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// because adds to the reason of a delete what has changed. An applier knows only that an object is not wanted any more;
// a decision of this round, or what the whole database said of the key, knows why. A step that serves several keys
// tells of the first about which anything is known, and how many others it stands for.
func (r *round[I, S]) because(t task) task {
	if t.Verb != plan.Delete {
		return t
	}
	text, others := "", -1
	for _, k := range t.Serves {
		if r.wanted[k] {
			continue // a stale object beside the new one: nothing has become of the key
		}
		others++
		if text == "" {
			text = r.lastWord(k)
		}
	}
	if text == "" {
		return t
	}
	if others > 0 {
		text = fmt.Sprintf("%s (and %d more)", text, others)
	}
	if t.Why != "" {
		text = t.Why + ": " + text
	}
	t.Why = text
	return t
}

// uncarried gives the reason of a withdrawal of what is wanted: an applier takes what is withheld for wanted no more.
func (r *round[I, S]) uncarried(t task) task {
	for _, k := range t.Serves {
		if reason := r.gone[k]; reason != "" {
			t.Why = "wanted, but nothing carries it: " + reason
			return t
		}
	}
	return t
}

// lastWord is what is known of a key that is wanted no more, "" when nothing is. As for the guard, a row in another
// place counts most, and a row more than none.
func (r *round[I, S]) lastWord(key string) string {
	if r.unwanted == nil {
		r.unwanted = heaviest(r.decisions, func(k string) bool { return !r.wanted[k] })
	}
	local, asked := r.unwanted[key], r.verdict.answers[key].decision
	if explained := r.vanishing[key]; explained.Text != "" && (local.Text == "" || weight(explained) > weight(local)) {
		local = explained
	}
	if asked.Text != "" && (local.Text == "" || weight(asked) > weight(local)) {
		local = asked
	}
	if local.Verdict == model.Announced && local.Evidence != model.Explained {
		return "" // it should be here after all, says the database: that is no reason
	}
	return local.Text
}

// heaviest returns of the decisions on each key that matters the one that counts.
func heaviest(decisions []model.Decision, matters func(key string) bool) map[string]model.Decision {
	found := map[string]model.Decision{}
	for _, d := range decisions {
		if d.Key != "" && matters(d.Key) {
			if before, known := found[d.Key]; !known || weight(d) > weight(before) {
				found[d.Key] = d
			}
		}
	}
	return found
}
