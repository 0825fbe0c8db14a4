package ovsdb

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
)

// UUID identifies a row. The zero value is no row.
type UUID [16]byte

// ParseUUID reads the usual form, "01234567-89ab-cdef-0123-456789abcdef".
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if !u.parse([]byte(s)) {
		return UUID{}, fmt.Errorf("%q is not a UUID", s)
	}
	return u, nil
}

func (u *UUID) parse(s []byte) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	_, err := hex.Decode(u[:], digits[:])
	return err == nil
}

// String returns the usual form.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsZero reports whether u is no row.
func (u UUID) IsZero() bool { return u == UUID{} }

// Compare orders UUIDs as their text is ordered.
func (u UUID) Compare(o UUID) int { return slices.Compare(u[:], o[:]) }

// Optional is the value of a column that may be empty and has at most one element.
type Optional[T comparable] struct {
	Value   T
	Present bool
}

// Some returns an Optional that has a value.
func Some[T comparable](v T) Optional[T] { return Optional[T]{Value: v, Present: true} }

// Or returns the value, or def when there is none.
func (o Optional[T]) Or(def T) T {
	if o.Present {
		return o.Value
	}
	return def
}

// Pair is one key of a Map with its value.
type Pair struct{ Key, Value string }

// Map is the value of a column that maps strings to strings, sorted by key. In place of a Go map it takes about half
// the memory, which matters for the external_ids of fifty thousand rows.
type Map []Pair

// Get returns the value of a key, "" when it is not there.
func (m Map) Get(key string) string {
	v, _ := m.Lookup(key)
	return v
}

// Lookup returns the value of a key and whether it is there.
func (m Map) Lookup(key string) (string, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i].Value, true
		}
	}
	return "", false
}

// MapOf returns a Map with the contents of a Go map.
func MapOf(from map[string]string) Map {
	if len(from) == 0 {
		return nil
	}
	m := make(Map, 0, len(from))
	for k, v := range from {
		m = append(m, Pair{k, v})
	}
	slices.SortFunc(m, comparePairs)
	return m
}

func comparePairs(a, b Pair) int { return cmp.Compare(a.Key, b.Key) }
