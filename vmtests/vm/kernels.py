# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels from Debian's mirror, as the machine's own apt configuration names it.

    InRelease (signed) -> Packages.xz -> linux-image-…-cloud-amd64.deb -> vmlinux, modules

Each step is checked by the hash that the step before names. Versions are those of today's index: old
ones vanish from the mirror. A kernel that is in the cache is used as it is; `make vmtest` on a machine
without network goes on with those. To add one, add a row to SUITES.
"""
import collections
import json
import pathlib
import re
import subprocess
import tempfile

from . import files, image

# name: (suite, where the mirror has it). The newest version of that name in the suite is taken.
SUITES = {
    "5.10": ("bullseye-security", "security"),
    "6.1": ("bookworm-security", "security"),
    "6.12": ("trixie-security", "security"),
    "6.18": ("trixie-backports", "main"),
    "7.3": ("trixie-backports", "main"),
}
KNOWN = list(SUITES)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FORM = 3  # of what is in the cache; raise it when unpacking changes

Kernel = collections.namedtuple("Kernel", "name release vmlinux modules")


class Unavailable(Exception):
    """This kernel cannot be had; the text is one line and says why."""


def fetch(name):
    """The kernel `name` of KNOWN, from the cache or the mirror."""
    if name not in SUITES:
        raise Unavailable("no kernel %s is known (there are %s)" % (name, " ".join(KNOWN)))
    folder = files.cache() / "kernels" / name
    with files.locked("kernel-" + name):
        if _form(folder) != FORM:
            try:
                files.need(512)
                _make(name, folder)
            except OSError as e:
                raise Unavailable("kernel %s: %s" % (name, e)) from None
    about = json.loads((folder / "kernel.json").read_text())
    return Kernel(name, about["release"], folder / "vmlinux", folder / "modules.cpio")


def _form(folder):
    try:
        return json.loads((folder / "kernel.json").read_text())["form"]
    except (OSError, ValueError, KeyError):
        return None


def _make(name, folder):
    suite, place = SUITES[name]
    with files.fresh_folder(folder) as made, tempfile.TemporaryDirectory(dir=files.cache()) as scratch:
        scratch = pathlib.Path(scratch)
        mirror = _mirrors()[place]
        index = _index(mirror, suite, scratch)
        wanted = _choose(name, suite, index)
        for package in wanted:
            deb = _download("%s/%s" % (mirror, package["Filename"]), scratch / "package.deb", package["SHA256"])
            _run(["dpkg-deb", "-x", deb, scratch / "root"], "unpacking %s" % package["Package"])
        release = re.match(r"linux-(?:image|binary)-(.*)", wanted[0]["Package"])[1]
        image.unpack(scratch / "root", release, made)
        about = {"form": FORM, "release": release, "packages": ["%(Package)s %(Version)s" % p for p in wanted]}
        (made / "kernel.json").write_text(json.dumps(about, indent=1) + "\n")


def _choose(name, suite, index):
    """The packages of the newest cloud kernel of that name: one, or three where it has been split."""
    pattern = re.compile(r"linux-(image|binary)-%s[.-][^ ]*-cloud-amd64" % re.escape(name))
    found = [p for p in index.values() if pattern.fullmatch(p["Package"])]
    if not found:
        raise Unavailable("kernel %s: %s has no linux-image-%s…-cloud-amd64 any more" % (name, suite, name))
    newest = max(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p["Version"])])
    release = newest["Package"].split("-", 2)[2]
    split = ["linux-%s-%s" % (part, release) for part in ("binary", "modules", "base")]
    return [index[p] for p in split] if split[0] in index else [index["linux-image-" + release]]


# -- the mirror -------------------------------------------------------------------------------------


def _mirrors():
    """The mirrors that apt is set up to use. Where none carries Debian's security suites, it is the
    main one's sibling, as in Debian's own default."""
    known = {}
    for suite, uri in _sources():
        kind = "security" if suite.endswith("-security") else "main"
        if re.search(r"/debian(-security)?/?$", uri):
            known.setdefault(kind, uri.rstrip("/"))
    known.setdefault("main", "http://deb.debian.org/debian")
    known.setdefault("security", re.sub(r"/debian$", "/debian-security", known["main"]))
    return known


def _sources():
    folder = pathlib.Path("/etc/apt")
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
            if "deb" in fields.get("Types", "").split():
                yield from ((s, u) for s in fields.get("Suites", "").split() for u in fields.get("URIs", "").split())
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        text = path.read_text() if path.exists() else ""
        for uri, suite in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", text, re.M):
            yield suite, uri


def _index(mirror, suite, scratch):
    """{package: its fields} of the suite's newest kernels; of each name the last, which is the newest."""
    base = "%s/dists/%s" % (mirror, suite)
    signed = _download(base + "/InRelease", scratch / "InRelease")
    _run(["gpgv", "--quiet", "--keyring", KEYRING, "--output", scratch / "Release", signed],
         "%s/InRelease: its signature" % base)
    sums = re.search(r"^SHA256:\n((?: .*\n)+)", (scratch / "Release").read_text(), re.M)
    packages = sums and re.search(r"^ (\w{64}) +\d+ main/binary-amd64/Packages.xz$", sums[1], re.M)
    if not packages:
        raise Unavailable("%s: has no index for amd64" % suite)
    packed = _download("%s/main/binary-amd64/by-hash/SHA256/%s" % (base, packages[1]), scratch / "Packages.xz",
                       packages[1])
    text = _run(["xz", "-dc", packed], "unpacking the index of %s" % suite)
    stanzas = (dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", s, re.M)) for s in text.split("\n\n"))
    return {s["Package"]: s for s in stanzas if s.get("Package", "").startswith("linux-")}


def _download(uri, target, sha256=None):
    """By apt's own downloader, so that its proxies and certificates hold here as well."""
    command = ["/usr/lib/apt/apt-helper", "-q", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20",
               "-o", "Acquire::https::Timeout=20", "-o", "APT::Sandbox::User=root", "download-file", uri, target]
    target.unlink(missing_ok=True)
    _run(command + (["SHA256:" + sha256] if sha256 else []), "downloading %s" % uri)
    return target


def _run(argv, what):
    try:
        done = subprocess.run([str(word) for word in argv], capture_output=True, check=False, timeout=300,
                              stdin=subprocess.DEVNULL)
    except FileNotFoundError as e:
        raise Unavailable("%s: %s is not installed" % (what, e.filename)) from None
    except subprocess.TimeoutExpired:
        raise Unavailable("%s: not within 300 s" % what) from None
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        # apt's first error says why, what follows only that; the others' last line does.
        why = next((line for line in said if line.startswith("E: ")), (said or ["exit code %d" % done.returncode])[-1])
        raise Unavailable("%s: %s" % (what, re.sub(r"^E: (Failed to fetch \S+ +)?", "", why)))
    return done.stdout.decode(errors="replace")
