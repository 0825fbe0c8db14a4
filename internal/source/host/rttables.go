package host

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/model"
)

// readRTTables merges the files, later lines last. A file that is not there has no lines.
func readRTTables(files []string) ([]model.RTTable, error) {
	byName := map[string]uint32{}
	for _, name := range files {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = parseRTTables(file, byName)
		file.Close()
		if err != nil {
			return nil, err
		}
	}
	var tables []model.RTTable
	for name, id := range byName {
		tables = append(tables, model.RTTable{ID: id, Name: name})
	}
	slices.SortFunc(tables, func(a, b model.RTTable) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name))
	})
	return tables, nil
}

// parseRTTables reads lines "<id> <name>"; the id is decimal or, as iproute2 allows, hexadecimal with 0x. What does
// not look so is no line of ours to judge.
func parseRTTables(r io.Reader, byName map[string]uint32) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		id, err := strconv.ParseUint(fields[0], 0, 32)
		if err != nil {
			continue
		}
		byName[fields[1]] = uint32(id)
	}
	return lines.Err()
}
