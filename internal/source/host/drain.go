package host

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// DrainedSince says since when the node is drained, by the file that stands for it; the zero time when it is not. What the
// file holds is the time; where that cannot be understood, it counts since it was written.
func DrainedSince(path string) (time.Time, error) {
	if path == "" {
		return time.Time{}, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	since := info.ModTime().UTC()
	if text, err := os.ReadFile(path); err == nil {
		if t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text))); err == nil {
			since = t.UTC()
		}
	}
	return since, nil
}
