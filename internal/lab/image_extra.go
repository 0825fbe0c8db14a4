package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Extra is what an image has beyond its base: programs that only some labs need, and for which nobody else should wait.
// They are unpacked, not installed: scripts of their packages would take longer than all the rest, for services that
// nothing starts here.
type Extra struct {
	Packages []string `json:"packages"` // with all they depend on
	Alone    []string `json:"alone"`    // without what they depend on
	Modules  []string `json:"modules"`  // of Python, compiled with all they import: otherwise each guest would do it again
}

// oldAgentPackage has the start script of the Python agent, and depends on all of Neutron for a file of settings.
const oldAgentPackage = "ovn-bgp-agent"

// WithOldAgent adds the Python ovn-bgp-agent of the suite to a recipe.
func WithOldAgent(r Recipe) Recipe {
	const drivers = "ovn_bgp_agent.drivers.openstack."
	r.Extra = &Extra{
		Packages: []string{"python3-ovn-bgp-agent"},
		Alone:    []string{oldAgentPackage},
		Modules: []string{"ovn_bgp_agent.cmd.agent", "oslo_privsep.daemon",
			drivers + "nb_ovn_bgp_driver", drivers + "ovn_bgp_driver", drivers + "ovn_stretched_l2_bgp_driver"},
	}
	return r
}

// base is the recipe of the image that an image with extras begins as.
func (r Recipe) base() Recipe {
	r.Extra = nil
	return r
}

// extendImage makes an image of a base image and the extras of the recipe, and puts it at dir. Files that both have are
// one on disk: nothing is ever written into a file of an image.
func extendImage(ctx context.Context, o ImageOptions, base Image, dir string, lock *os.File, out io.Writer) (Manifest, error) {
	var m Manifest
	b, err := newBuilder(o, dir, lock)
	if err != nil {
		return m, err
	}
	defer b.log.Close()
	err = b.steps(ctx, dir, out, []step{
		{"  build tools", b.tools},
		{"  files of the base image", func(ctx context.Context) error {
			if err := os.MkdirAll(b.dir, 0o755); err != nil {
				return err
			}
			return b.run(ctx, "cp", "-al", filepath.Join(base.Dir, "root"), b.root())
		}},
		{"  " + strings.Join(slices.Concat(o.Recipe.Extra.Packages, o.Recipe.Extra.Alone), ", "), b.extra},
		{"  manifest", func(context.Context) error { m, err = b.finishExtra(base.Manifest); return err }},
	})
	return m, err
}

// extra unpacks what the recipe adds.
func (b *builder) extra(ctx context.Context) error {
	work, err := b.privateApt(b.recipe.Suite, `Dir::State::status "`+b.root()+`/var/lib/dpkg/status";`)
	if err != nil {
		return err
	}
	script := `set -e; cd "$1"; export APT_CONFIG="$1/apt.conf"; root=$2; packages=$3; alone=$4; modules=$5
apt-get update
apt-get install --download-only -y $packages
apt-get download $alone
for deb in cache/archives/*.deb *.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --exclude=./usr/share/doc --exclude=./usr/share/man \
		--exclude=./usr/share/locale -C "$root"
	dpkg-deb --show --showformat '${Package}\t${Version}\n' "$deb" >> "$1/../unpacked"
done
mkdir -p "$root/etc/ssl/certs" # the certificates in one file, as their package's script would make it: a module reads it
cat "$root"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
rm -f "$root/etc/resolv.conf" # the build host's: sudo would ask it for the node's name, and wait
env -i PATH="$PATH" chroot "$root" /usr/bin/python3 -c "import importlib, sys; [importlib.import_module(m) for m in sys.argv[1:]]" $modules
test -d "$root/usr/lib/python3/dist-packages/ovn_bgp_agent/__pycache__" # compiled, and kept
cd /; rm -rf "$1"`
	e := b.recipe.Extra
	return b.run(ctx, "sh", "-c", script, "sh", work, b.root(), strings.Join(e.Packages, " "), strings.Join(e.Alone, " "),
		strings.Join(e.Modules, " "))
}

// finishExtra records what the image holds: the base's packages, and those that were unpacked.
func (b *builder) finishExtra(base Manifest) (Manifest, error) {
	m := Manifest{Recipe: b.recipe, Packages: base.Packages, Kernel: base.Kernel}
	list := filepath.Join(b.dir, "unpacked")
	text, err := os.ReadFile(list)
	if err != nil {
		return m, fmt.Errorf("list the packages: %w", err)
	}
	m.addPackages(string(text))
	if err := os.Remove(list); err != nil {
		return m, err
	}
	return m, b.seal(m)
}
