package lab

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHostMirror(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		want  string
	}{
		"deb822": {want: "http://archive.example/debian", files: map[string]string{"sources.list.d/debian.sources": `Types: deb
URIs: http://archive.example/debian-security
Suites: bookworm-security
Components: main

# the archive
Types: deb deb-src
# http://old.example/debian
URIs: http://archive.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`}},
		"one line": {want: "https://archive.example/debian", files: map[string]string{"sources.list": `# deb http://no.example/debian trixie main
deb-src http://src.example/debian trixie main
deb cdrom:[Debian]/ trixie main
deb http://sec.example/debian-security trixie-security main
deb [arch=amd64 signed-by=/x] https://archive.example/debian trixie main contrib # ours
`}},
		"disabled": {files: map[string]string{"sources.list.d/a.sources": "Enabled: no\nTypes: deb\nURIs: http://a.example\nSuites: trixie\nComponents: main\n"}},
		"other systems and files": {files: map[string]string{
			"sources.list":                 "deb http://u.example/ubuntu noble main\n",
			"sources.list.d/tool.list":     "deb https://t.example/apt stable stuff\n",
			"sources.list.d/debian.bak":    "deb http://b.example/debian trixie main\n",
			"sources.list.d/broken.list":   "deb\ndeb http://x\n",
			"sources.list.d/empty.sources": "",
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := hostMirror(dir)
			if got != c.want || (c.want == "") != errors.Is(err, errNoMirror) {
				t.Errorf("mirror %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestAptSettingsKeepProxies(t *testing.T) {
	const dump = "APT \"\";\nAcquire::http::Proxy \"http://10.0.0.1:3128\";\nAcquire::https::Proxy \"DIRECT\";\nAcquire::Retries \"3\";\n"
	got := aptSettings(dump)[3:]
	want := []string{`Acquire::http::Proxy "http://10.0.0.1:3128";`, `Acquire::https::Proxy "DIRECT";`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestRecipeHash(t *testing.T) {
	hash := DefaultRecipe().Hash()
	if hash != DefaultRecipe().Hash() || len(hash) != 12 {
		t.Errorf("hash %q is not the recipe's name", hash)
	}
	for name, change := range map[string]func(*Recipe){
		"format":  func(r *Recipe) { r.Format++ },
		"suite":   func(r *Recipe) { r.Suite = "sid" },
		"package": func(r *Recipe) { r.Packages = append(r.Packages, "hello") },
		"kernel":  func(r *Recipe) { r.KernelSuite = "sid" },
		"extra":   func(r *Recipe) { *r = WithOldAgent(*r) },
	} {
		r := DefaultRecipe()
		change(&r)
		if r.Hash() == hash {
			t.Errorf("another %s is the same image", name)
		}
	}
}

// An image with extras is its base and what was unpacked over it; the base stays in the cache beside it.
func TestExtraOfARecipe(t *testing.T) {
	with := WithOldAgent(DefaultRecipe())
	if with.base().Hash() != DefaultRecipe().Hash() {
		t.Error("the base of a recipe with extras is another image")
	}
	b := &builder{recipe: with, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(b.dir, "unpacked"), []byte("ovn-bgp-agent\t4.0.0-1\nsudo\t1.9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	base := Manifest{Recipe: DefaultRecipe(), Kernel: "7.2.7", Packages: map[string]string{"frr": "10.3-3"}}
	m, err := b.finishExtra(base)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.String(); got != "OVN , OVS , FRR 10.3, Linux 7.2.7, ovn-bgp-agent 4.0.0" {
		t.Errorf("versions %q", got)
	}
	if len(base.Packages) != 1 {
		t.Errorf("the base's packages are now %v", base.Packages)
	}
	if read, err := readManifest(b.dir); err != nil || read.Recipe.Hash() != with.Hash() {
		t.Errorf("manifest %+v, %v", read, err)
	}
}

// Only a directory with a manifest is an image, and old images go only when nobody uses them.
func TestImagesInTheCache(t *testing.T) {
	cache := t.TempDir()
	make := func(name string, m Manifest) string {
		dir := filepath.Join(cache, name)
		err := errors.Join(os.MkdirAll(filepath.Join(dir, "root"), 0o755), os.WriteFile(filepath.Join(dir, imageLock), nil, 0o644),
			writeJSON(filepath.Join(dir, imageManifest), m))
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	want := Manifest{Recipe: DefaultRecipe(), Kernel: "7.2.7", Packages: map[string]string{
		"ovn-common": "25.03.0-1", "openvswitch-switch": "3.5.0-1+b1", "frr": "10.3-3"}}
	keep := make(DefaultRecipe().Hash(), want)
	old, used := make("old", Manifest{}), make("used", Manifest{})
	hold, err := lockShared(filepath.Join(used, imageLock))
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	image, err := EnsureImage(t.Context(), ImageOptions{Recipe: DefaultRecipe(), Cache: cache}, t.Output())
	if err != nil || image.Dir != keep || image.Built {
		t.Fatalf("image %+v, %v", image, err)
	}
	if got := image.Manifest.String(); got != "OVN 25.03.0, OVS 3.5.0, FRR 10.3, Linux 7.2.7" {
		t.Errorf("versions %q", got)
	}
	pruneImages(cache, []string{keep}, t.Output())
	for dir, stays := range map[string]bool{keep: true, used: true, old: false} {
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("%s: %v, should stay: %v", filepath.Base(dir), err, stays)
		}
	}
}

func TestProgramMustBeStatic(t *testing.T) {
	if err := checkStatic("/bin/ls"); err == nil {
		t.Error("a program with libraries was accepted")
	}
}
