package ovs

import (
	"context"
	"fmt"
	"strings"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/model"
)

// Database is the local switch's database. *ovsdb.Client is the real one.
type Database interface {
	Transact(ctx context.Context, operations ...ovsdb.Operation) ([]ovsdb.Result, error)
}

// SetExternalID writes one of our keys, "ovnbgp-nb", in external_ids of the local Open_vSwitch row; an empty value
// removes it. Keys of others are refused.
func SetExternalID(ctx context.Context, db Database, key, value string) error {
	if !strings.HasPrefix(key, model.MarkPrefix) {
		return fmt.Errorf("set external_ids:%s of the switch: only keys that begin with %s are ours", key, model.MarkPrefix)
	}
	// A map's insert leaves a key that is there as it is: delete first.
	changes := []ovsdb.Mutation{{Column: "external_ids", Mutator: "delete", Value: []string{key}}}
	if value != "" {
		changes = append(changes, ovsdb.Mutation{Column: "external_ids", Mutator: "insert",
			Value: map[string]string{key: value}})
	}
	if _, err := db.Transact(ctx, ovsdb.Mutate("Open_vSwitch", nil, changes...)); err != nil {
		return fmt.Errorf("set external_ids:%s of the switch: %w", key, err)
	}
	return nil
}
