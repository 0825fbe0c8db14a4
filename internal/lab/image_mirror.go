package lab

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// errNoMirror is returned when apt's sources name no Debian archive.
var errNoMirror = errors.New("apt's sources on this host name no Debian archive: name one with --mirror URL (make lab MIRROR=URL)")

// aptSource is one archive that apt knows.
type aptSource struct {
	uri        string
	suites     []string
	components []string
}

// hostMirror finds the Debian archive that this host's apt uses.
func hostMirror(dir string) (string, error) {
	var sources []aptSource
	lists, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*")) // the pattern is well-formed
	for _, path := range append([]string{filepath.Join(dir, "sources.list")}, lists...) {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		switch filepath.Ext(path) {
		case ".list":
			sources = append(sources, parseList(string(text))...)
		case ".sources":
			sources = append(sources, parseDeb822(string(text))...)
		}
	}
	for _, s := range sources {
		if s.debian() {
			return s.uri, nil
		}
	}
	return "", errNoMirror
}

// debian reports whether a source is Debian's own main archive: one that has a release, not just its updates.
func (s aptSource) debian() bool {
	releases := []string{"bullseye", "bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable"}
	scheme, _, _ := strings.Cut(s.uri, ":")
	return slices.Contains([]string{"http", "https", "file", "copy"}, scheme) && slices.Contains(s.components, "main") &&
		slices.ContainsFunc(s.suites, func(suite string) bool { return slices.Contains(releases, suite) })
}

// parseList reads the one-line format of sources.list(5). Lines it cannot read are skipped: apt itself complains of them.
func parseList(text string) []aptSource {
	var out []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
			continue // deb-src, or no source
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if f := strings.Fields(rest); len(f) >= 3 {
			out = append(out, aptSource{uri: f[0], suites: f[1:2], components: f[2:]})
		}
	}
	return out
}

// parseDeb822 reads the stanzas of a .sources file; several URIs of a stanza are several sources.
func parseDeb822(text string) []aptSource {
	var out []aptSource
	fields := map[string][]string{}
	last := ""
	flush := func() {
		if slices.Contains(fields["types"], "deb") && !slices.Contains([]string{"no", "false"}, first(fields["enabled"])) {
			for _, uri := range fields["uris"] {
				out = append(out, aptSource{uri: uri, suites: fields["suites"], components: fields["components"]})
			}
		}
		fields, last = map[string][]string{}, ""
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] = append(fields[last], strings.Fields(line)...)
		default:
			name, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.Fields(value)
		}
	}
	flush()
	return out
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return strings.ToLower(s[0])
}
