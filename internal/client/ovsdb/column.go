package ovsdb

import (
	"cmp"
	"slices"
)

// A row's fields have one of the types string, int64, bool, UUID, Optional of these, []string, []int64, []UUID and
// Map. The functions of this file take pointers to them.

// column decodes the value of a column into field. With diff the value is what an update2 notification carries for
// a column of many elements: the elements to add or to remove, and the keys to add, change or remove.
func (d *Decoder) column(field any, diff bool) {
	switch f := field.(type) {
	case *string:
		*f = one(d, stringAtom)
	case *int64:
		*f = one(d, intAtom)
	case *bool:
		*f = one(d, boolAtom)
	case *UUID:
		*f = one(d, uuidAtom)
	case *Optional[string]:
		*f = optional(d, stringAtom)
	case *Optional[int64]:
		*f = optional(d, intAtom)
	case *Optional[bool]:
		*f = optional(d, boolAtom)
	case *Optional[UUID]:
		*f = optional(d, uuidAtom)
	case *[]string:
		*f = set(d, *f, diff, &d.strs, stringAtom, cmp.Compare)
	case *[]int64:
		*f = set(d, *f, diff, &d.ints, intAtom, cmp.Compare)
	case *[]UUID:
		*f = set(d, *f, diff, &d.uuids, uuidAtom, UUID.Compare)
	case *Map:
		*f = d.stringMap(*f, diff)
	default:
		d.fail("no column has the type %T", field)
	}
}

// equalColumn compares two fields of the same type.
func equalColumn(a, b any) bool {
	switch a := a.(type) {
	case *string:
		return *a == *b.(*string)
	case *int64:
		return *a == *b.(*int64)
	case *bool:
		return *a == *b.(*bool)
	case *UUID:
		return *a == *b.(*UUID)
	case *Optional[string]:
		return *a == *b.(*Optional[string])
	case *Optional[int64]:
		return *a == *b.(*Optional[int64])
	case *Optional[bool]:
		return *a == *b.(*Optional[bool])
	case *Optional[UUID]:
		return *a == *b.(*Optional[UUID])
	case *[]string:
		return slices.Equal(*a, *b.(*[]string))
	case *[]int64:
		return slices.Equal(*a, *b.(*[]int64))
	case *[]UUID:
		return slices.Equal(*a, *b.(*[]UUID))
	case *Map:
		return slices.Equal(*a, *b.(*Map))
	}
	return false
}

// fits reports whether every value of a column of type t can be held by field.
func (t columnType) fits(field any) bool {
	key, many, optional, isMap := "", false, false, false
	switch field.(type) {
	case *string:
		key = "string"
	case *int64:
		key = "integer"
	case *bool:
		key = "boolean"
	case *UUID:
		key = "uuid"
	case *Optional[string]:
		key, optional = "string", true
	case *Optional[int64]:
		key, optional = "integer", true
	case *Optional[bool]:
		key, optional = "boolean", true
	case *Optional[UUID]:
		key, optional = "uuid", true
	case *[]string:
		key, many = "string", true
	case *[]int64:
		key, many = "integer", true
	case *[]UUID:
		key, many = "uuid", true
	case *Map:
		key, many, isMap = "string", true, true
	}
	switch {
	case t.key != key, isMap != (t.value != ""), isMap && t.value != "string":
		return false
	case many:
		return true
	case optional:
		return !t.many
	default:
		return !t.many && !t.optional
	}
}

// tag reads the opening of ["set", …], ["map", …] or ["uuid", …] and returns its first word; "" means that what
// comes next is a plain atom.
func (d *Decoder) tag() string {
	if d.peek() != '[' {
		return ""
	}
	d.expect('[')
	tag := d.str()
	d.expect(',')
	return tag
}

func stringAtom(d *Decoder, tag string) string {
	if tag != "" {
		d.fail("found [%q, …] where a string belongs", tag)
		return ""
	}
	return d.str()
}

func intAtom(d *Decoder, tag string) int64 {
	if tag != "" {
		d.fail("found [%q, …] where an integer belongs", tag)
		return 0
	}
	return d.integer()
}

func boolAtom(d *Decoder, tag string) bool {
	if tag != "" {
		d.fail("found [%q, …] where a boolean belongs", tag)
		return false
	}
	return d.boolean()
}

func uuidAtom(d *Decoder, tag string) (u UUID) {
	if tag != "uuid" {
		d.fail("found %q where [\"uuid\", …] belongs", tag)
		return u
	}
	if text := d.text(); d.err == nil && !u.parse(text) {
		d.fail("%q is not a UUID", text)
	}
	d.expect(']')
	return u
}

// elements calls each for the elements of a set, which is written as such or, when it has one, as that element.
func (d *Decoder) elements(each func(tag string)) {
	tag := d.tag()
	if tag != "set" {
		each(tag)
		return
	}
	d.expect('[')
	for i := 0; d.more(i, ']'); i++ {
		each(d.tag())
	}
	d.expect(']')
}

func one[T any](d *Decoder, atom func(*Decoder, string) T) T {
	return atom(d, d.tag())
}

func optional[T comparable](d *Decoder, atom func(*Decoder, string) T) (o Optional[T]) {
	d.elements(func(tag string) {
		if o.Present {
			d.fail("found two elements in a column of at most one")
		}
		o = Some(atom(d, tag))
	})
	return o
}

func set[T comparable](
	d *Decoder, old []T, diff bool, room *[]T, atom func(*Decoder, string) T, order func(T, T) int,
) []T {
	got := (*room)[:0]
	d.elements(func(tag string) { got = append(got, atom(d, tag)) })
	*room = got
	if !slices.IsSortedFunc(got, order) {
		slices.SortFunc(got, order)
	}
	if diff {
		return symmetricDifference(old, got, order)
	}
	return exact(got)
}

// exact copies what is to be kept, with no room to spare; empty is nil.
func exact[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	kept := make([]T, len(s))
	copy(kept, s)
	return kept
}

// symmetricDifference returns what is in exactly one of two sorted slices.
func symmetricDifference[T any](a, b []T, order func(T, T) int) []T {
	out := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := order(a[0], b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return exact(append(append(out, a...), b...))
}

// stringMap decodes ["map", [[key, value], …]].
func (d *Decoder) stringMap(old Map, diff bool) Map {
	if tag := d.tag(); tag != "map" {
		d.fail("found %q where [\"map\", …] belongs", tag)
		return nil
	}
	got := d.pairs[:0]
	d.expect('[')
	for i := 0; d.more(i, ']'); i++ {
		d.expect('[')
		key := d.str()
		d.expect(',')
		got = append(got, Pair{key, d.str()})
		d.expect(']')
	}
	d.expect(']')
	d.pairs = got
	if !slices.IsSortedFunc(got, comparePairs) {
		slices.SortFunc(got, comparePairs)
	}
	if diff {
		return patch(old, got)
	}
	return exact(got)
}

// patch applies the difference of a map: a pair that is there goes, a key that is there with another value gets the
// new value, any other pair is added.
func patch(old, diff Map) Map {
	out := make(Map, 0, len(old)+len(diff))
	for len(old) > 0 && len(diff) > 0 {
		switch c := comparePairs(old[0], diff[0]); {
		case c < 0:
			out, old = append(out, old[0]), old[1:]
			continue
		case c == 0:
			if old[0].Value != diff[0].Value {
				out = append(out, diff[0])
			}
			old, diff = old[1:], diff[1:]
		default:
			out, diff = append(out, diff[0]), diff[1:]
		}
	}
	return exact(append(append(out, old...), diff...))
}
