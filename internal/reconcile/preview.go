package reconcile

import (
	"context"
	"fmt"
	"maps"
	"time"

	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// preview is a round that runs nothing: each step is taken to work, so nothing is withheld but by an unread carrier.
// It judges with a copy of the guard and keeps no books.
func (l *Loop[I, S]) preview(ctx context.Context) (plan.Preview, error) {
	r := &round[I, S]{Loop: l, start: time.Now(), dry: true, guard: l.guard.clone(), unread: map[string]error{},
		gone: map[string]string{}}
	if err := r.read(ctx); err != nil {
		return plan.Preview{}, err
	}
	todo := r.planCarriers(ctx)
	var deletes, moves []task
	for i, a := range r.opts.Announcers {
		steps, err := r.planAnnouncer(ctx, i, a)
		if err != nil {
			continue // among the problems
		}
		for _, t := range steps {
			switch {
			case t.Last:
				moves = append(moves, t)
			case t.Verb == plan.Delete:
				deletes = append(deletes, t)
			case r.mayAnnounce(t, nil):
				todo = append(todo, t)
			}
		}
	}
	for _, t := range moves {
		if r.mayAnnounce(t, nil) {
			todo = append(todo, t)
		}
	}
	r.judge(ctx, r.inquiry())
	for _, t := range deletes {
		if !touches(t, r.verdict.held) {
			todo = append(todo, t)
		}
	}
	todo = append(todo, r.foreseeClears()...)
	todo = append(todo, r.databaseStep(r.verdict)...)
	problems, unread := r.problems(r.guard.report())
	return plan.Preview{Steps: r.planned(todo), Problems: problems, Unread: unread}, ctx.Err()
}

// foreseeClears lists the carriers that could be deleted after the withdrawals have worked.
func (r *round[I, S]) foreseeClears() []task {
	left := maps.Clone(r.wanted)
	maps.Copy(left, r.verdict.held)
	var clears []task
	for _, t := range r.clears {
		if !touches(t, r.verdict.held) && r.mayClear(t, left) {
			clears = append(clears, t)
		}
	}
	return clears
}

func (r *round[I, S]) planned(tasks []task) []plan.Planned {
	list := make([]plan.Planned, len(tasks))
	for i, t := range tasks {
		t = r.because(t)
		list[i] = plan.Planned{Subsystem: t.subsystem, Verb: t.Verb, Object: t.Object, Why: t.Why, Serves: t.Serves}
	}
	return list
}

// problems words what a preview leaves out, and names the subsystems that could not be read.
func (r *round[I, S]) problems(held *status.Held) (list, unread []string) {
	add := func(subsystem string, err error) {
		if err != nil {
			list, unread = append(list, problem(subsystem, err)), append(unread, subsystem)
		}
	}
	for _, a := range r.opts.Carriers {
		add(a.Name(), r.unread[a.Name()])
	}
	for i, a := range r.opts.Announcers {
		add(a.Name(), r.told[i].problem())
	}
	if held != nil {
		list = append(list, fmt.Sprintf("%s; to let them go: %s", status.HeldText(held), held.Accept))
	}
	return list, unread
}
