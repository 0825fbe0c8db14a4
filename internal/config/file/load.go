// Package file reads settings from oslo.config's INI files: what ovn-bgp-agent's users have, and our own groups in
// the same files. The table of options (options.go) is the only place that knows an option's name, default and
// meaning; the reference file is printed from it. Start at Load.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovnbgp/internal/config"
)

// Source is a file, or a directory whose *.conf files are read in the order of their names. Of two sources that
// set the same option the later wins, so keep the order of the command line.
type Source struct {
	Path string
	Dir  bool
	// Pipe lets the path be a pipe that this process has been handed: /dev/stdin, /dev/fd/63. It is for those who read
	// once; who reads again at a reload would find nothing.
	Pipe bool
}

// Result is what the files say.
type Result struct {
	Settings config.Settings
	// Warnings are worth telling and keep nobody from starting: options nobody knows, features to come.
	Warnings Problems
	// Unbuilt names what the settings ask for and this version cannot do. An agent refuses to start on it.
	Unbuilt Problems
	// Missing is what the settings name and what is not there, or not what it must be, now: keys and certificates. An agent
	// starts all the same and tries again, for they may come later.
	Missing Problems
	// Files are those that were read, in order.
	Files []string

	stored []stored
}

// Startable returns an error that names everything the settings ask for and this version cannot do.
func (r Result) Startable() error { return r.Unbuilt.orNil() }

// Usable is Startable, and an error too for what is missing.
func (r Result) Usable() error { return slices.Concat(r.Unbuilt, r.Missing).orNil() }

// Load reads the sources in order. Its error is a Problems: every mistake of every file. Under strict, warnings
// are mistakes too.
func Load(sources []Source, strict bool) (Result, error) {
	l := newLoader()
	for _, source := range sources {
		for _, path := range l.paths(source) {
			l.file(path, source.Pipe)
		}
	}
	return l.result(strict)
}

// loader gathers the files' entries and what is wrong with them.
type loader struct {
	read     []string           // the files
	byFile   [][]entry          // by file, in order
	opened   map[string][]place // where each group is opened
	problems Problems
	warnings Problems
	unbuilt  Problems
	stored   []stored
	misread  map[spelling]bool // options whose value is none, under all their names: told of once
}

func newLoader() *loader { return &loader{misread: map[spelling]bool{}} }

func (l *loader) paths(source Source) []string {
	if !source.Dir {
		return []string{source.Path}
	}
	found, err := os.ReadDir(source.Path)
	if err != nil {
		l.problems = append(l.problems, Problem{File: source.Path, Text: "cannot be read: " + cause(err)})
	}
	var paths []string
	for _, f := range found {
		if strings.HasSuffix(f.Name(), ".conf") && !strings.HasPrefix(f.Name(), ".") {
			paths = append(paths, filepath.Join(source.Path, f.Name()))
		}
	}
	if len(paths) == 0 && err == nil {
		l.warnings = append(l.warnings, Problem{File: source.Path, Text: "the directory has no *.conf file: nothing was read"})
	}
	return paths
}

func (l *loader) file(path string, pipe bool) {
	text, err := ReadFile(path, pipe, maxBytes)
	if err != nil {
		l.problems = append(l.problems, Problem{File: path, Text: "cannot be read: " + cause(err)})
		return
	}
	l.text(path, string(text))
}

// maxBytes is far more than any configuration has: what is longer was named by mistake.
const maxBytes = 16 << 20

// ReadFile reads a regular file of at most limit bytes, or a pipe where that is asked for. Any other pipe would keep us
// waiting for somebody to write to it, and a device for ever. Whoever takes a file's name from a user reads it so.
func ReadFile(path string, pipe bool, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular() || info.IsDir(): // which cannot be read, and says so
	case info.Mode()&fs.ModeNamedPipe != 0 && isHanded(path) && pipe:
	case info.Mode()&fs.ModeNamedPipe != 0 && isHanded(path):
		return nil, errors.New("it is a pipe, which can be read only once, and an agent reads its files again")
	default:
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is longer than %d MB", limit>>20)
	}
	return text, err
}

// isHanded tells whether a path names a file that this process has open already.
func isHanded(path string) bool {
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

func (l *loader) text(path, text string) {
	r := read(path, text)
	l.read = append(l.read, path)
	l.problems = append(l.problems, r.problems...)
	l.warnings = append(l.warnings, r.warnings...)
	l.byFile = append(l.byFile, r.entries)
	for name, line := range r.opened {
		if l.opened == nil {
			l.opened = map[string][]place{}
		}
		l.opened[name] = append(l.opened[name], place{path, line})
	}
}

// cause is an error's reason without the operation and the path, which stand beside it anyway.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func (l *loader) result(strict bool) (Result, error) {
	var b speech
	n, table := l.instances()
	table = append(options(&b), table...)
	l.unknown(table)
	in := interpolation{loader: l, table: table, found: map[spelling]expansion{}}
	var settings config.Settings
	for _, o := range table {
		l.set(&settings, o, in)
	}
	l.logging(&settings)
	l.foreignBooleans(in)
	if settings.Node.NIC == settings.Node.VRF && settings.Node.NIC != "" {
		e, _ := l.last(spelling{"DEFAULT", "bgp_nic"})
		l.problems = append(l.problems, Problem{File: e.File, Line: e.Line, Option: "[DEFAULT] bgp_nic",
			Value: settings.Node.NIC, Text: "must differ from bgp_vrf"})
	}
	l.speech(&settings.Node, &b, n)
	l.hostAddresses(&settings.Node, n)
	if strict {
		l.problems = append(l.problems, l.warnings...)
		l.warnings = nil
	}
	if err := l.inOrder(l.problems).orNil(); err != nil {
		return Result{}, err
	}
	if l.setsNothing() { // strict or not: the reference itself sets nothing
		l.warnings = append(l.warnings, Problem{File: l.read[len(l.read)-1], Text: "nothing is set: all options have their defaults"})
	}
	missing := l.missing(settings)
	return Result{Settings: settings, Warnings: l.inOrder(l.warnings), Unbuilt: l.inOrder(l.unbuilt), Missing: l.inOrder(missing),
		Files: l.read, stored: l.stored}, nil
}

// setsNothing tells whether files were read and none of them sets anything.
func (l *loader) setsNothing() bool {
	return len(l.read) > 0 && len(slices.Concat(l.byFile...)) == 0 && len(l.problems) == 0
}

// inOrder sorts by line within each file, and keeps the order in which the files came.
func (l *loader) inOrder(p Problems) Problems {
	var names []string
	for _, problem := range slices.Concat(l.problems, l.warnings, l.unbuilt) {
		if !slices.Contains(names, problem.File) {
			names = append(names, problem.File)
		}
	}
	p = slices.Clone(p)
	slices.SortStableFunc(p, func(a, b Problem) int {
		if d := slices.Index(names, a.File) - slices.Index(names, b.File); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	return p
}

// last finds what counts for an option: the last file that has it under any of its spellings; within a file the
// first of the spellings; of that the last line.
func (l *loader) last(spellings ...spelling) (entry, bool) {
	for _, entries := range slices.Backward(l.byFile) {
		for _, s := range spellings {
			for _, e := range slices.Backward(entries) {
				if e.group == s.Group && e.name == s.Name {
					return e, true
				}
			}
		}
	}
	return entry{}, false
}

// set stores one option's value, or its default, and notes what is wrong with it or not built.
func (l *loader) set(s *config.Settings, o option, in interpolation) {
	e, written := l.last(append([]spelling{o.spelling()}, o.AlsoIn...)...)
	if !written {
		e = entry{group: o.Group, name: o.Name, value: o.Default, raw: o.Default, place: place{File: "(default)"}}
	}
	option := spelling{e.group, e.name}.String()
	problem := Problem{File: e.File, Line: e.Line, Option: option, Value: e.value}
	misread := func() {
		l.problems = append(l.problems, problem)
		for _, name := range append([]spelling{o.spelling()}, o.AlsoIn...) {
			l.misread[name] = true
		}
	}
	value, err := in.expand(e.value, e.group)
	raw, _ := in.expand(e.raw, e.group)
	if err != nil {
		problem.Text = err.Error()
		misread()
		return
	}
	if same, ok := o.Same[strings.TrimSpace(value)]; ok {
		value = same
	}
	var items []string
	if o.list {
		if items, err = splitList(raw, o.commas); err != nil {
			problem.Value, problem.Text = raw, err.Error()+"; must be "+o.allowed
			misread()
			return
		}
	}
	if !o.store(s, value, items) {
		problem.Text = "must be " + o.allowed
		if bad := o.bad; bad != nil && len(items) > 1 {
			if item := bad(items); item != "" {
				problem.Text = "the entry " + quote(item) + " is not one: " + problem.Text
			}
		}
		if value == "" {
			problem.Text = "is empty; " + problem.Text
		}
		if strings.Contains(value, " #") || strings.Contains(value, " ;") {
			problem.Text += " (a comment needs a line of its own: behind a value it belongs to that)"
		}
		misread()
		return
	}
	l.stored = append(l.stored, stored{option: o.spelling(), place: e.place, as: spelling{e.group, e.name}, value: e.value,
		store: func(s *config.Settings) { o.store(s, value, items) }})
	l.notBuilt(o, problem, strings.TrimSpace(value))
}

func (l *loader) notBuilt(o option, problem Problem, value string) {
	if o.Built != nil && !slices.Contains(o.Built, value) {
		problem.Text = "is known, but not built yet; built: " + strings.Join(o.Built, ", ")
		l.unbuilt = append(l.unbuilt, problem)
	}
}

// foreignBooleans refuses what oslo would not start with either.
func (l *loader) foreignBooleans(in interpolation) {
	for _, name := range foreignFlags() {
		for _, s := range []spelling{{"DEFAULT", name}, {"DEFAULT", strings.ReplaceAll(name, "_", "-")}} {
			e, ok := l.last(s)
			if !ok {
				continue
			}
			value, err := in.expand(e.value, e.group)
			if _, known := truth(strings.TrimSpace(value)); known && err == nil {
				continue
			}
			l.wrong(s.Group, s.Name, "must be "+truthAllowed)
		}
	}
}

// logging gives oslo.log's two options that matter their meaning, unless our own say otherwise.
func (l *loader) logging(s *config.Settings) {
	for _, m := range []struct {
		theirs, ours spelling
		at           *string
		value        string
		store        func(*config.Settings)
	}{
		{spelling{"DEFAULT", "debug"}, spelling{"log", "level"}, &s.Log.Level, "debug",
			func(s *config.Settings) { s.Log.Level = "debug" }},
		{spelling{"DEFAULT", "use_json"}, spelling{"log", "format"}, &s.Log.Format, "json",
			func(s *config.Settings) { s.Log.Format = "json" }},
	} {
		e, set := l.last(m.theirs)
		_, own := l.last(m.ours)
		if on, _ := truth(e.value); set && on && !own {
			*m.at = m.value
			i := slices.IndexFunc(l.stored, func(o stored) bool { return o.option == m.ours })
			if i < 0 { // its default is stored always
				continue
			}
			l.stored[i] = stored{option: m.ours, place: e.place, as: m.theirs, value: e.value, store: m.store}
		}
	}
}
