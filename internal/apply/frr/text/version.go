package text

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is FRR's version, as far as its configuration depends on it.
type Version struct{ Major, Minor int }

// Oldest is the oldest version whose configuration is known.
func Oldest() Version { return Version{8, 4} }

// AtLeast tells whether v is the version or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return cmp.Or(cmp.Compare(v.Major, major), cmp.Compare(v.Minor, minor)) >= 0
}

// String returns "8.4".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

var versionNumber = regexp.MustCompile(`(?:FRRouting |frr version |^)(\d+)\.(\d+)`)

// ParseVersion reads what `show version` or the first line of a configuration says: "FRRouting 8.4.4 (node) …",
// "frr version 10.3", or "8.4" alone.
func ParseVersion(text string) (Version, error) {
	found := versionNumber.FindStringSubmatch(text)
	if found == nil {
		return Version{}, fmt.Errorf("no version of FRR in %.80q", text)
	}
	major, err1 := strconv.Atoi(found[1])
	minor, err2 := strconv.Atoi(found[2])
	if err := cmp.Or(err1, err2); err != nil {
		return Version{}, fmt.Errorf("version of FRR: %w", err)
	}
	v := Version{major, minor}
	if !v.AtLeast(Oldest().Major, Oldest().Minor) {
		return v, fmt.Errorf("FRR %s is older than %s, the oldest whose configuration is known", v, Oldest())
	}
	return v, nil
}
