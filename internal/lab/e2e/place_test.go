package e2e

import (
	"fmt"
	"strconv"
)

// placeVerbs are the verbs that say where a port is:
//
//	cloud subport PORT PARENT TAG            cloud delete-subport PORT
//	cloud virtual PORT PARENT…              cloud hold PORT VM
//	cloud migrate start PORT NODE            cloud migrate finish|abort PORT
func (s *stage) placeVerbs() map[string]verb {
	return map[string]verb{
		"subport":        {3, s.subport},
		"delete-subport": {1, func(a []string) error { return s.cloud.RemoveSubport(s.ctx, a[0]) }},
		"virtual":        {2, func(a []string) error { return s.cloud.MakeVirtual(s.ctx, a[0], a[1:]...) }},
		"hold":           {2, func(a []string) error { return s.cloud.HoldVirtual(s.ctx, a[0], a[1]) }},
		"migrate":        {2, s.migrate},
	}
}

func (s *stage) subport(a []string) error {
	tag, err := strconv.ParseInt(a[2], 10, 64)
	if err != nil {
		return err
	}
	return s.cloud.AddSubport(s.ctx, a[0], a[1], tag)
}

func (s *stage) migrate(a []string) error {
	switch {
	case a[0] == "start" && len(a) == 3:
		return s.cloud.StartMigration(s.ctx, a[1], a[2])
	case a[0] == "finish":
		return s.cloud.FinishMigration(s.ctx, a[1])
	case a[0] == "abort":
		return s.cloud.AbortMigration(s.ctx, a[1])
	}
	return fmt.Errorf("migrate %v: want start PORT NODE, finish PORT or abort PORT", a)
}
