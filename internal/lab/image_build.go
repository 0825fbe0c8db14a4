package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// builder makes one image in a temporary directory.
type builder struct {
	recipe Recipe
	mirror string
	dir    string // temporary; renamed when complete
	log    *os.File
	lock   *os.File // of the cache; commands inherit it, so that one that outlives us still keeps others out
	apt    []string // apt settings of the host that matter: its proxies
}

// buildImage makes an image and puts it at dir. The caller holds the cache's lock.
func buildImage(ctx context.Context, o ImageOptions, dir string, lock *os.File, out io.Writer) (Manifest, error) {
	var m Manifest
	b, err := newBuilder(o, dir, lock)
	if err != nil {
		return m, err
	}
	defer b.log.Close()
	err = b.steps(ctx, dir, out, []step{
		{"  build tools", b.tools},
		{"  packages of " + o.Recipe.Suite, b.base},
		{"  kernel of " + o.Recipe.KernelSuite, b.kernel},
		{"  manifest", func(ctx context.Context) error { m, err = b.finish(ctx); return err }},
	})
	return m, err
}

// newBuilder prepares for building an image that is to be at dir. The caller closes its log.
func newBuilder(o ImageOptions, dir string, lock *os.File) (*builder, error) {
	if runtime.GOARCH != "amd64" {
		return nil, errNotAMD64
	}
	var err error
	if o.Mirror == "" {
		if o.Mirror, err = hostMirror("/etc/apt"); err != nil {
			return nil, err
		}
	}
	if err := checkSpace(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	b := &builder{recipe: o.Recipe, mirror: o.Mirror, dir: dir + ".part", lock: lock}
	if err := removeTree(b.dir); err != nil { // a build that was killed
		return nil, err
	}
	b.log, err = os.Create(filepath.Join(filepath.Dir(dir), "build.log"))
	return b, err
}

// steps builds the image and puts it at dir.
func (b *builder) steps(ctx context.Context, dir string, out io.Writer, steps []step) error {
	p := progress{w: os.Stderr, terminal: isTerminal(os.Stdout) && isTerminal(os.Stderr), log: b.log.Name()}
	for _, s := range steps {
		if err := timed(ctx, out, s.name, p.during(s.name, s.do)); err != nil {
			return errors.Join(err, removeTree(b.dir))
		}
	}
	return os.Rename(b.dir, dir)
}

// removeTree removes a directory in which nothing is mounted. A build that left its mounts behind would have the host's
// own devices removed.
func removeTree(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("look for mounts below %s: %w", dir, err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			return fmt.Errorf("%s is still mounted: unmount it, then remove %s", f[4], dir)
		}
	}
	return os.RemoveAll(dir)
}

func (b *builder) root() string { return filepath.Join(b.dir, "root") }

// run runs a command of the build; its output goes to the build log, whose end is in the error.
func (b *builder) run(ctx context.Context, name string, args ...string) error {
	var tail bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.Stdout = io.MultiWriter(b.log, &tail)
	cmd.Stderr = cmd.Stdout
	cmd.ExtraFiles = []*os.File{b.lock}
	// What is mounted in the new root, the host's devices among it, must go with the command however it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // mmdebstrap unmounts what it mounted
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(tail.String()), "\n")
		return fmt.Errorf("%s: %w; its last lines (all are in %s):\n  %s", name, err, b.log.Name(),
			strings.Join(lines[max(0, len(lines)-12):], "\n  "))
	}
	return nil
}

// tools installs what builds images, and the archive's keys when this host's are too old for the suite.
func (b *builder) tools(ctx context.Context) error {
	var missing []string
	for tool, pkg := range map[string]string{"mmdebstrap": "mmdebstrap", "apt-get": "apt", "dpkg-deb": "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	if !b.hasKeys() {
		missing = append(missing, "debian-archive-keyring")
	}
	if len(missing) > 0 {
		if _, err := exec.LookPath("apt-get"); err != nil {
			return fmt.Errorf("this is no Debian: install %s by hand", strings.Join(missing, ", "))
		}
		if err := b.run(ctx, "apt-get", "update"); err != nil {
			return err
		}
		if err := b.run(ctx, "apt-get", append([]string{"install", "-y", "--no-install-recommends"}, missing...)...); err != nil {
			return err
		}
	}
	if !b.hasKeys() {
		return fmt.Errorf("the keys in /usr/share/keyrings do not cover %s: bring debian-archive-keyring up to date", b.recipe.Suite)
	}
	dump, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return fmt.Errorf("read apt's settings: %w", err)
	}
	b.apt = aptSettings(string(dump))
	return nil
}

func (b *builder) hasKeys() bool {
	found, _ := filepath.Glob("/usr/share/keyrings/debian-archive-" + b.recipe.Suite + "-automatic.*") // well-formed
	return len(found) > 0
}

// aptSettings picks the host's proxies. Archives of a past day are expired ones: their date is not checked.
func aptSettings(dump string) []string {
	out := []string{`Acquire::Check-Valid-Until "false";`, `Acquire::Languages "none";`, `APT::Install-Recommends "false";`}
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, "Acquire::http") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// base makes the root file system.
func (b *builder) base(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	args := []string{"--variant=minbase", "--mode=root", "--include=" + strings.Join(b.recipe.Packages, ",")}
	for _, s := range b.apt {
		args = append(args, "--aptopt="+s)
	}
	for _, doc := range []string{"man", "locale", "doc"} {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+doc+"/*")
	}
	return b.run(ctx, "mmdebstrap", append(args, b.recipe.Suite, b.root(), b.mirror)...)
}

// privateApt makes an apt of its own in a directory of the build, which is returned: for one suite, verified with the
// image's keys (they are newer than the host's).
func (b *builder) privateApt(suite string, more ...string) (string, error) {
	work := filepath.Join(b.dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial", "empty"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return "", err
		}
	}
	keys := filepath.Join(b.root(), "usr/share/keyrings/debian-archive-keyring.gpg")
	list := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keys, b.mirror, suite)
	conf := append(slices.Clone(b.apt),
		`Dir::Etc::sourcelist "`+work+`/sources.list";`, `Dir::Etc::sourceparts "`+work+`/empty";`,
		`Dir::Etc::preferencesparts "`+work+`/empty";`, `Dir::State::lists "`+work+`/lists";`,
		`Dir::Cache "`+work+`/cache";`, `APT::Sandbox::User "root";`, `Debug::NoLocking "true";`)
	text := strings.Join(append(conf, more...), "\n") + "\n"
	for name, text := range map[string]string{"sources.list": list, "apt.conf": text} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return work, nil
}

// kernel fetches the kernel's package and keeps the kernel and its modules.
func (b *builder) kernel(ctx context.Context) error {
	work, err := b.privateApt(b.recipe.KernelSuite)
	if err != nil {
		return err
	}
	script := `set -e; cd "$1"; export APT_CONFIG="$1/apt.conf"
apt-get update
apt-get download "$2"
dpkg-deb -x "$2"_*.deb unpacked
mkdir -p "$3/lab/bin" "$3/lab/files" "$3/usr/lib/modules"
mv unpacked/usr/bin/linux.uml "$3/lab/linux.uml"
mv unpacked/usr/lib/uml/modules/* "$3/usr/lib/modules/"
chroot "$3" depmod -a "$(ls "$3/usr/lib/modules")"
ln -sf ` + guestBinary + ` "$3/usr/local/bin/ovnbgp"
cd /; rm -rf "$1"`
	return b.run(ctx, "sh", "-c", script, "sh", work, b.recipe.Kernel, b.root())
}

// finish records what the image holds.
func (b *builder) finish(ctx context.Context) (Manifest, error) {
	m := Manifest{Recipe: b.recipe, Packages: map[string]string{}}
	out, err := exec.CommandContext(ctx, "chroot", b.root(), "dpkg-query", "-W").Output()
	if err != nil {
		return m, fmt.Errorf("list the packages: %w", err)
	}
	m.addPackages(string(out))
	kernels, err := os.ReadDir(filepath.Join(b.root(), "usr/lib/modules"))
	if err != nil {
		return m, fmt.Errorf("find the kernel's modules: %w", err)
	}
	if len(kernels) != 1 {
		return m, fmt.Errorf("find the kernel's modules: there are %d kernels", len(kernels))
	}
	m.Kernel = kernels[0].Name()
	return m, b.seal(m)
}

// seal writes the manifest, by which an image is known to be complete.
func (b *builder) seal(m Manifest) error {
	if err := os.WriteFile(filepath.Join(b.dir, imageLock), nil, 0o644); err != nil {
		return err
	}
	return writeJSON(filepath.Join(b.dir, imageManifest), m)
}
