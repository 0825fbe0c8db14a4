// Package atomicfile writes files that nobody ever sees half of, after a crash of the host either. Start at Write.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes or replaces a file as a whole. What must be so before anybody sees it, its owner for one, is done by the
// functions. When it returns the file is on disk.
func Write(path string, content []byte, mode fs.FileMode, before ...func(*os.File) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode))
	for _, do := range before {
		err = errors.Join(err, do(file))
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(file.Name())))
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir has what changed in a directory on disk. One that is not there holds nothing to be lost.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
