# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels in parts: what weir needs is a module that is not loaded, that is not there, or that nobody may load.

These machines have loaded nothing yet, so they are made here, and not by a World."""
import json

import pytest

import place
from marks import behaviour, elsewhere, machines, slow
from specs import web
from vm import guest, kernels

pytestmark = [machines, slow]
LEGACY = ("ip_tables", "ip6_tables", "iptable_filter", "iptable_nat", "ip6table_filter", "ip6table_nat")
CANNOT = 4


class Cold:
    """A machine that has loaded nothing."""

    def __init__(self, template):
        self.machine = template.clone()

    def run(self, script, code=0):
        got, out, err = self.machine.exec(["sh", "-c", script], cwd="/root", timeout=120)
        said = "$ %s -> %d\n%s%s" % (script, got, out.decode(), err.decode())
        assert got == code, "%d expected: %s" % (code, said)
        return said

    def without(self, *modules):
        """As if the distribution had built the kernel without these."""
        self.run("cd /lib/modules/$(uname -r) && " + "".join("find . -name %s.ko -delete; " % m for m in modules) + "depmod -a")

    def loaded(self):
        return {line.split()[0] for line in self.machine.get("/proc/modules").decode().splitlines()}

    def untouched(self):
        assert "wb-" not in self.run("ip link") and not self.run("ls /run/netns 2>&-; true").splitlines()[1:]
        assert self.run("cat /proc/sys/net/ipv4/ip_forward").endswith("\n0\n")


@pytest.fixture
def cold(somewhere):
    template = guest.template(kernels.fetch(somewhere.name), cold=True)
    made = Cold(template)
    made.machine.put(place.BUILD / "weir", "/usr/sbin/weir")
    made.machine.put(json.dumps(web()).encode(), "/root/spec.yaml")
    yield made
    assert made.machine.taint() == 0, made.machine.tail()
    made.machine.close()


@behaviour("C1")
@elsewhere
def test_what_is_not_loaded_yet_is_loaded(cold, backend):
    assert not cold.loaded() & {*LEGACY, "nf_tables"}
    cold.run("weir --backend %s apply spec.yaml && weir status" % backend)
    assert "nf_tables" in cold.loaded() if backend == "nftables" else cold.loaded() >= set(LEGACY)
    if backend == "nftables":  # and nothing besides
        assert not cold.loaded() & set(LEGACY)


@behaviour("C3", "R1")
@elsewhere
def test_a_packet_filter_that_is_not_there(cold, backend):
    """It is said so, nothing is left, and the other one is taken by itself."""
    cold.without(*(("nf_tables",) if backend == "nftables" else LEGACY))
    said = cold.run("weir --backend %s apply spec.yaml" % backend, CANNOT)
    assert "CONFIG_NF_TABLES" in said if backend == "nftables" else "CONFIG_NETFILTER_XTABLES_LEGACY" in said
    cold.untouched()
    about = json.loads(cold.run("weir backend --json").split("\n", 1)[1])
    possible = {b["name"]: b["possible"] for b in about["backends"]}
    other = "iptables" if backend == "nftables" else "nftables"
    assert possible == {backend: False, other: True}
    cold.run("weir apply spec.yaml && weir status")
    assert "in use: " + other in cold.run("weir backend")


@behaviour("C3", "R1")
def test_no_packet_filter_at_all(cold):
    cold.without("nf_tables", "x_tables", *LEGACY)
    said = cold.run("weir apply spec.yaml", CANNOT)
    assert "no packet filter" in said and "nf_tables" in said and "iptables" in said
    cold.untouched()
    cold.run("weir backend", CANNOT)


@behaviour("C3", "R1")
def test_nobody_may_load_modules(cold, backend):
    """A hardened host: what was loaded before is used, nothing else is asked for."""
    cold.run("echo /bin/false > /proc/sys/kernel/modprobe")
    cold.run("weir --backend %s apply spec.yaml" % backend, CANNOT)
    cold.untouched()
    cold.run("echo /sbin/modprobe > /proc/sys/kernel/modprobe")
    cold.run("weir --backend %s apply spec.yaml && weir status" % backend)
