package frr

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/atomicfile"
)

// In managed mode FRR's files are ours, too: an FRR that is started anew must begin with what it ran with.

// staleFile is a file that does not say what it must.
type staleFile struct {
	path    string
	content []byte
	had     []byte // nil: there is none
}

// owned begins frr.conf where it is ours.
const owned = "! ovnbgp writes this file ([bgp] frr_mode = managed): what is typed here is lost. Lines of your own: [bgp] frr_raw_file.\n"

// backupSuffix ends the name of what frr.conf was before it became ours.
const backupSuffix = ".before-ovnbgp"

func isOwned(content []byte) bool { return bytes.HasPrefix(content, []byte(owned[:20])) }

// staleFiles lists the files that are to be written.
func (a *Applier) staleFiles(c text.Config, running text.Running) ([]staleFile, error) {
	if a.options.ConfDir == "" {
		return nil, nil
	}
	var stale []staleFile
	for name, make := range map[string]func(had []byte) []byte{
		"frr.conf": func([]byte) []byte { return []byte(owned + text.Saved(c, running)) },
		"daemons":  daemons,
	} {
		path := filepath.Join(a.options.ConfDir, name)
		had, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read FRR's file: %w", err)
		}
		if content := make(had); !bytes.Equal(had, content) {
			stale = append(stale, staleFile{path, content, had})
		}
	}
	return stale, nil
}

// readyFiles keeps what was in frr.conf before it became ours, and sees that the files can be written, before what runs
// is changed: an FRR whose file is the old one is the old one after its next start. A change that announces nothing, a
// drain above all, does not wait for a disk once the file is ours, and a withdrawal (forgetMember) never does.
func (a *Applier) readyFiles(t target) error {
	for _, f := range t.files {
		err := keepForeign(f)
		if err == nil {
			err = canReplace(f.path)
		}
		if err == nil || isOwned(f.had) && !slices.ContainsFunc(t.diff.Changes, announces) {
			continue
		}
		return fmt.Errorf("FRR is left as it is, because its files cannot be written: %w", err)
	}
	return nil
}

// keepForeign copies a frr.conf that is not ours, once.
func keepForeign(f staleFile) error {
	foreign := f.had != nil && filepath.Base(f.path) == "frr.conf" && !isOwned(f.had)
	if backup := f.path + backupSuffix; foreign && absent(backup) {
		return replaceFile(backup, f.had)
	}
	return nil
}

// canReplace does all that replacing a file takes, up to putting the new one in the place of the old.
func canReplace(path string) error {
	probe := path + ".ovnbgp-probe"
	if err := replaceFile(probe, nil); err != nil {
		return err
	}
	return os.Remove(probe)
}

// writeFiles replaces files as a whole.
func (a *Applier) writeFiles(files []staleFile) error {
	for _, f := range files {
		if err := keepForeign(f); err != nil {
			return err
		}
		if err := replaceFile(f.path, f.content); err != nil {
			return err
		}
		if filepath.Base(f.path) == "daemons" {
			a.mu.Lock()
			a.daemonsChanged = true
			a.mu.Unlock()
		}
	}
	return nil
}

func absent(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// replaceFile writes a file that only FRR's user and group can read; FRR never reads half of it.
func replaceFile(path string, content []byte) error {
	err := atomicfile.Write(path, content, 0o640, func(file *os.File) error {
		if uid, gid, known := frrUser(); known {
			return file.Chown(uid, gid)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("FRR's file: %w", err)
	}
	return nil
}

// frrUser is whom FRR's files belong to. A host that has no such user runs FRR elsewhere, as another one.
func frrUser() (uid, gid int, known bool) {
	frr, err := user.Lookup("frr")
	if err != nil {
		return 0, 0, false
	}
	uid, err1 := strconv.Atoi(frr.Uid)
	gid, err2 := strconv.Atoi(frr.Gid)
	return uid, gid, err1 == nil && err2 == nil
}

// daemons is FRR's daemons file with what managed mode needs: bgpd and bfdd, and a zebra that leaves routes in the kernel
// when it ends (-r) and clears those away that nobody told again after two minutes (-K). All other lines stay.
func daemons(had []byte) []byte {
	wanted := map[string]func(old string) string{
		"bgpd":          func(string) string { return "yes" },
		"bfdd":          func(string) string { return "yes" },
		"zebra_options": zebraOptions,
	}
	var out strings.Builder
	for line := range strings.Lines(string(had)) {
		name, value, isSetting := strings.Cut(strings.TrimRight(line, "\n"), "=")
		change := wanted[name]
		if !isSetting || change == nil {
			out.WriteString(line)
			continue
		}
		delete(wanted, name)
		quote := ""
		if strings.HasPrefix(value, `"`) || name == "zebra_options" {
			quote = `"`
		}
		out.WriteString(name + "=" + quote + change(strings.Trim(value, `"`)) + quote + "\n")
	}
	for _, name := range []string{"bgpd", "bfdd", "zebra_options"} {
		if change := wanted[name]; change != nil {
			if name == "zebra_options" {
				out.WriteString(name + `="` + change("  -A 127.0.0.1 -s 90000000") + "\"\n")
				continue
			}
			out.WriteString(name + "=" + change("") + "\n")
		}
	}
	return []byte(out.String())
}

// zebraOptions adds what is missing. Time that an operator gave to -K stays.
func zebraOptions(old string) string {
	words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(old, "(", ""), ")", ""))
	has := func(short, long string) bool {
		for _, w := range words {
			if w == short || strings.HasPrefix(w, long) || strings.HasPrefix(w, short) && len(w) > 2 && !strings.HasPrefix(w, "--") {
				return true
			}
		}
		return false
	}
	out := old
	if strings.ContainsAny(old, `()"`) {
		out = strings.Trim(old, `()"`)
	}
	if !has("-r", "--retain") {
		out += " -r"
	}
	if !has("-K", "--graceful_restart") {
		out += " -K 120"
	}
	return out
}
