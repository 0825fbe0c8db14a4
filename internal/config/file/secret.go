package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"ovnbgp/internal/model"
)

// maxSecret is what the kernel takes as a key (TCP_MD5SIG_MAXKEYLEN).
const maxSecret = 80

// secret reads a password. What is wrong with it is said without any of it.
func (l *loader) secret(groupName, option, path string) model.Secret {
	text, mode, err := readWhole(path, 4096)
	if err != nil {
		l.wrong(groupName, option, err.Error())
		return ""
	}
	password := strings.TrimRight(text, "\r\n")
	visible := func(r rune) bool { return r > ' ' && r < unicode.MaxASCII }
	switch {
	case mode.Perm()&0o007 != 0:
		l.wrong(groupName, option, openToAll(mode))
	case password == "":
		l.wrong(groupName, option, "the file is empty; write the password into it")
	case strings.ContainsAny(password, "\r\n"):
		l.wrong(groupName, option, "the file has more than one line; a password is one")
	case strings.ContainsFunc(password, func(r rune) bool { return !visible(r) }):
		l.wrong(groupName, option, "the password has a blank, or something that is not printable ASCII")
	case len(password) > maxSecret:
		l.wrong(groupName, option, fmt.Sprintf("the password is longer than %d characters, the most the kernel takes", maxSecret))
	default:
		return model.Secret(password)
	}
	return ""
}

func openToAll(mode os.FileMode) string {
	return fmt.Sprintf("the file is open to everybody on the node (mode %04o); chmod 0640, or less", mode.Perm())
}

// maxRaw is more than anybody writes by hand.
const maxRaw = 1 << 20

// rawLines reads the operator's own lines for FRR. Comments and empty lines stay: they are the operator's.
func (l *loader) rawLines(groupName, option, path string) []string {
	if path == "" {
		return nil
	}
	text, mode, err := readWhole(path, maxRaw)
	if err != nil {
		l.wrong(groupName, option, err.Error())
		return nil
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }) {
			l.wrong(groupName, option, fmt.Sprintf("line %d of the file has something that is not printable", i+1))
		}
		if strings.Contains(line, "password") && mode.Perm()&0o007 != 0 {
			l.wrong(groupName, option, fmt.Sprintf("line %d of the file has a password: %s", i+1, openToAll(mode)))
		}
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}

// readWhole reads a small regular file, and says how it is protected.
func readWhole(path string, most int64) (string, os.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, errors.New("the file cannot be read: " + cause(err))
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0, errors.New("the file cannot be read: " + cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return "", 0, errors.New("the file cannot be read: " + cause(err))
	case int64(len(text)) > most:
		return "", 0, fmt.Errorf("the file is longer than %d bytes", most)
	}
	return string(text), info.Mode(), nil
}
