package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// ImageCache is where images are kept unless the environment variable OVNBGP_LAB_CACHE names another place.
	ImageCache    = "/var/cache/ovnbgp/lab"
	imageManifest = "manifest.json"
	imageLock     = "in-use" // brokers hold a shared lock on it
	imageNeeds    = 1200 << 20
)

// Image is a complete root file system on disk.
type Image struct {
	Dir      string // its directory: root/, manifest.json
	Manifest Manifest
	Built    bool // it was made just now
}

// Manifest says what an image was made of.
type Manifest struct {
	Recipe   Recipe            `json:"recipe"`
	Packages map[string]string `json:"packages"` // versions by name
	Kernel   string            `json:"kernel"`   // release of the User-Mode Linux kernel
}

// Recipe is everything that decides what is in an image, apart from the day. Another recipe is another image.
type Recipe struct {
	Format      int      `json:"format"` // raised when the code that builds images changes what they hold
	Suite       string   `json:"suite"`
	Packages    []string `json:"packages"`
	KernelSuite string   `json:"kernel_suite"`
	Kernel      string   `json:"kernel"` // the package with the kernel: unpacked, not installed
	Extra       *Extra   `json:"extra,omitempty"`
}

// DefaultRecipe is the lab's image: the stack of Debian 13, and a User-Mode Linux kernel new enough (7.x) for
// processors with large vector state.
func DefaultRecipe() Recipe {
	return Recipe{
		Format: 1,
		Suite:  "trixie",
		Packages: []string{
			"openvswitch-switch", "ovn-central", "ovn-host", "frr", "iproute2", "iputils-ping", "tcpdump", "procps", "kmod",
			"busybox", "util-linux", "jq", "strace", "ethtool", "netcat-openbsd", "less",
		},
		KernelSuite: "forky",
		Kernel:      "user-mode-linux",
	}
}

// Hash names the recipe.
func (r Recipe) Hash() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:12]
}

// ImageOptions says where an image comes from.
type ImageOptions struct {
	Recipe Recipe
	Mirror string // a Debian archive; empty: the one this host's apt uses
	Cache  string // empty: OVNBGP_LAB_CACHE, else ImageCache
}

// EnsureImage returns the recipe's image and builds it first when there is none. Progress goes to out.
func EnsureImage(ctx context.Context, o ImageOptions, out io.Writer) (Image, error) {
	cache := o.cache()
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Image{}, fmt.Errorf("make the image cache: %w", err)
	}
	dir := filepath.Join(cache, o.Recipe.Hash())
	if m, err := readManifest(dir); err == nil {
		return Image{Dir: dir, Manifest: m}, nil
	}
	build, keep := buildImage, []string{dir}
	if o.Recipe.Extra != nil {
		of := o
		of.Recipe = o.Recipe.base()
		base, err := EnsureImage(ctx, of, out)
		if err != nil {
			return Image{}, err
		}
		keep = append(keep, base.Dir)
		build = func(ctx context.Context, o ImageOptions, dir string, lock *os.File, out io.Writer) (Manifest, error) {
			return extendImage(ctx, o, base, dir, lock, out)
		}
	}
	lock, err := lockFile(ctx, filepath.Join(cache, "lock"), func() { fmt.Fprintln(out, "waiting for another build of the image") })
	if err != nil {
		return Image{}, err
	}
	defer lock.Close()
	if m, err := readManifest(dir); err == nil {
		return Image{Dir: dir, Manifest: m}, nil
	}
	m, err := build(ctx, o, dir, lock, out)
	if err != nil {
		return Image{}, fmt.Errorf("build the lab's image: %w", err)
	}
	pruneImages(cache, keep, out)
	return Image{Dir: dir, Manifest: m, Built: true}, nil
}

func (o ImageOptions) cache() string {
	for _, dir := range []string{o.Cache, os.Getenv("OVNBGP_LAB_CACHE")} {
		if dir != "" {
			return dir
		}
	}
	return ImageCache
}

// readManifest reads a complete image's manifest: it is written last, and the directory renamed after that.
func readManifest(dir string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, imageManifest))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// addPackages records packages, one on each line, as dpkg lists them.
func (m *Manifest) addPackages(list string) {
	m.Packages = maps.Clone(m.Packages)
	for line := range strings.Lines(list) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "\t")
		m.Packages[name] = version
	}
}

// versions picks what people ask for.
func (m Manifest) versions() map[string]string {
	out := map[string]string{"Linux": m.Kernel}
	for name, pkg := range map[string]string{
		"OVN": "ovn-common", "OVS": "openvswitch-switch", "FRR": "frr", oldAgentPackage: oldAgentPackage,
	} {
		if version, ok := m.Packages[pkg]; ok {
			out[name], _, _ = strings.Cut(version, "-")
		}
	}
	return out
}

// String is the versions in one line.
func (m Manifest) String() string {
	v := m.versions()
	text := fmt.Sprintf("OVN %s, OVS %s, FRR %s, Linux %s", v["OVN"], v["OVS"], v["FRR"], v["Linux"])
	if old, ok := v[oldAgentPackage]; ok {
		text += ", " + oldAgentPackage + " " + old
	}
	return text
}

// pruneImages removes what earlier recipes and killed builds left, except images that a guest uses.
func pruneImages(cache string, keep []string, out io.Writer) {
	dirs, _ := filepath.Glob(filepath.Join(cache, "*", imageLock)) // the pattern is well-formed
	for _, path := range dirs {
		dir := filepath.Dir(path)
		f, err := os.Open(path)
		if err != nil || slices.Contains(keep, dir) {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			if err := os.RemoveAll(dir); err != nil {
				fmt.Fprintf(out, "remove the old image: %v\n", err)
			}
		}
		f.Close()
	}
}

// checkSpace refuses to begin what will not fit.
func checkSpace(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("ask for free space on %s: %w", dir, err)
	}
	free := s.Bavail * uint64(s.Bsize)
	if free < imageNeeds {
		return fmt.Errorf("%s has %d MB free, the image needs %d: make room, or set OVNBGP_LAB_CACHE to another place",
			dir, free>>20, imageNeeds>>20)
	}
	return nil
}

var errNotAMD64 = errors.New("User-Mode Linux is to be had for amd64 only: run the lab on a kernel with vrf, dummy and 8021q (--native)")
