package lab

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// TestMain lets the test binary stand in for the program: nodes start os.Executable with `lab …`.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		waitForSignal()
		os.Exit(0)
	}
	if len(os.Args) > 2 && os.Args[1] == "lab" {
		code, err := testCLI(context.Background(), os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func testCLI(ctx context.Context, args []string) (int, error) {
	var err error
	switch args[0] {
	case "up":
		err = NativeUp(ctx, NativeOptions{Demo: len(args) > 1}, os.Stdout)
	case "down":
		err = NativeDown(ctx, os.Stdout)
	case "run":
		return NativeRun(ctx, args[1], args[2:])
	case "status":
		var s Status
		if s, err = NativeStatus(ctx); err == nil {
			fmt.Printf("%+v\n", s)
		}
	case "banner":
		err = Banner(ctx, args[1])
	case "neutron":
		err = Neutron(ctx)
	case "summary":
		err = testSummary(ctx)
	case "node":
		err = NodeInit(args[1], args[2])
	default:
		err = fmt.Errorf("unknown command %q", args[0])
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

func testSummary(ctx context.Context) error {
	c, err := OpenCloud(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.fabric.Summarize(ctx, c)
	if err != nil {
		return err
	}
	return s.Print(os.Stdout)
}
