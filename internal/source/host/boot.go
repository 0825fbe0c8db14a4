package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// bootID is where the kernel tells the boots of a host apart.
const bootID = "/proc/sys/kernel/random/boot_id"

// BootID names the boot that the host is in.
func BootID() (string, error) {
	text, err := os.ReadFile(bootID)
	return strings.TrimSpace(string(text)), err
}

// FreshBoot tells whether the file names another boot than this one, or none: in this boot BGP has not run yet.
func FreshBoot(path string) (bool, error) {
	now, err := BootID()
	if err != nil {
		return false, fmt.Errorf("which boot this is: %w", err)
	}
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("in which boot BGP ran last: %w", err)
	}
	return strings.TrimSpace(string(kept)) != now, nil
}
