package file

import (
	"reflect"

	"ovnbgp/internal/config"
)

// stored is an option's value as it was stored, so that it can be compared with the settings that an agent began with.
type stored struct {
	option spelling // as in the table
	place  place
	as     spelling // as it is written
	value  string
	store  func(*config.Settings)
}

// Waiting names the options whose values are others than old's and that an agent takes from its start alone: all that say
// nothing of decisions, and who speaks BGP.
func (r Result) Waiting(old config.Settings) Problems {
	var list Problems
	for _, o := range r.stored {
		now := old
		o.store(&now)
		if !reflect.DeepEqual(wired(old), wired(now)) {
			list = append(list, o.problem("takes effect at the next start"))
		}
	}
	return list
}

// wired is what an agent takes from its start alone.
func wired(s config.Settings) config.Settings {
	s.Node = config.Node{BGP: config.BGP{Speaker: s.Node.BGP.Speaker, Mode: s.Node.BGP.Mode}}
	return s
}

// About says something of an option's value where it is written.
func (r Result) About(group, name, text string) Problem {
	for _, o := range r.stored {
		if o.option == (spelling{group, name}) {
			return o.problem(text)
		}
	}
	return Problem{File: "(default)", Option: spelling{group, name}.String(), Text: text}
}

func (o stored) problem(text string) Problem {
	return Problem{File: o.place.File, Line: o.place.Line, Option: o.as.String(), Value: o.value, Text: text}
}
