# SPDX-License-Identifier: GPL-2.0-or-later
"""L2: who knows whom by name inside endpoints, and whom they ask for other names."""
import pytest

from marks import behaviour, elsewhere
from specs import dual, on
from world import FAMILIES

SPEC = {
    "networks": {"web": dual(1), "db": dual(2), "far": dual(3)},
    "endpoints": {"front": on("web"), "api": on("web", "db"), "pg": on("db"), "lost": on("far"),
                  "alone": {"mode": "none"}},
}


def hosts(world, name):
    """Name to addresses, as `ip netns exec` has them."""
    known = {}
    for line in world.host.run("ip", "netns", "exec", name, "cat", "/etc/hosts").out.splitlines():
        if not line.startswith("#"):
            address, *words = line.split()
            for word in words:
                known.setdefault(word, set()).add(address)
    return known


def addresses(world, name, *networks):
    return {world.address(name, family.version, network) for network in networks for family in FAMILIES}


@behaviour("L2")
@elsewhere
def test_endpoints_know_those_of_their_networks(world):
    world.apply(SPEC)
    front, api = hosts(world, "front"), hosts(world, "api")
    assert {"localhost", "front", "api"} == set(front) - {"ip6-localhost", "ip6-loopback"}
    assert front["api"] == addresses(world, "api", "web"), "its address in the network that they share"
    assert front["front"] == addresses(world, "front", "web")
    assert {"front", "api", "pg"} <= set(api) and "lost" not in api
    assert api["api"] == addresses(world, "api", "web", "db")
    assert not world.exists("/etc/netns/alone/hosts"), "there is nobody to know"
    assert world.weir("exec", "front", "--", "getent", "hosts", "pg", check=False).code != 0
    assert world.address("pg", 6) in world.weir("exec", "api", "--", "getent", "ahosts", "pg").out
    assert world.weir("status").code == 0


@behaviour("L2")
def test_everybody_may_read_names_whatever_the_umask(world):
    (world.folder / "spec.yaml").write_text("endpoints: {job: {networks: [web], dns: [192.0.2.53]}}\nnetworks: {web: {}}\n")
    world.host.run("sh", "-c", "umask 077 && exec %s --backend %s apply spec.yaml" % (world.place.weir, world.backend))
    for name in ("hosts", "resolv.conf"):
        assert world.host.run("stat", "-Lc", "%a", "/etc/netns/job/" + name).out == "644\n"
    umask = world.host.run("sh", "-c", "umask 077 && exec %s exec job -- sh -c umask" % world.place.weir).out
    assert umask == "0077\n", "the command's own"
    world.weir("delete", "--all")
    assert not world.exists("/etc/netns")


@behaviour("L2")
def test_names_follow_what_comes_goes_and_moves(world):
    world.apply(SPEC)
    # what has the file open or bound sees the change: it is the same one
    inode = world.host.run("stat", "-Lc", "%i", "/etc/netns/front/hosts").out
    for name in ("aaa", "zzz", "mid"):
        world.weir("endpoint", "add", name, "--network", "web")
        assert hosts(world, "front")[name] == hosts(world, "api")[name] == addresses(world, name, "web")
    assert world.host.run("stat", "-Lc", "%i", "/etc/netns/front/hosts").out == inode
    assert world.weir("status").code == 0, "in its place, as if made anew"
    world.weir("endpoint", "rm", "mid", "aaa")
    assert "mid" not in hosts(world, "front") and "aaa" not in hosts(world, "api")
    spec = {**SPEC, "endpoints": {**SPEC["endpoints"], "pg": {"networks": {"db": {"ip": "10.88.2.77"}, "far": {}}}}}
    world.apply(spec)
    assert "10.88.2.77" in hosts(world, "api")["pg"]
    assert hosts(world, "lost")["pg"] == addresses(world, "pg", "far")
    assert set(hosts(world, "pg")) >= {"api", "lost", "pg"}
    assert world.weir("status").code == 0
    world.weir("endpoint", "rm", "api")
    assert not world.exists("/etc/netns/api") and "api" not in hosts(world, "front")
    before = world.host.run("ls", "/etc/netns/@weir").out.split()
    world.weir("endpoint", "rm", "lost")
    assert len(world.host.run("ls", "/etc/netns/@weir").out.split()) == len(before) - 1, "nobody reads it"


@behaviour("L2", "L9")
def test_without_networks_there_are_no_names(world):
    spec = {"networks": {"web": dual(1)}, "endpoints": {"job": on("web")}}
    world.apply(spec)
    link = world.host.run("readlink", "/etc/netns/job/hosts").out
    spec["endpoints"]["job"] = {"mode": "none"}
    world.apply(spec)
    assert "hosts" not in world.host.run("ls", "/etc/netns/job").out
    world.host.run("ln", "-s", link.strip(), "/etc/netns/job/hosts")
    world.apply({**spec, "endpoints": {"job": {"mode": "none", "dns": ["192.0.2.53"]}}})
    assert world.host.run("ls", "/etc/netns/job").out == "resolv.conf\n"
    spec["endpoints"]["job"] = on("web")
    world.apply(spec)
    assert "job" in hosts(world, "job")


@behaviour("L2", "C4")
@pytest.mark.parametrize("edit", ["echo 10.9.9.9 evil >>$file", "rm $file; mknod $file p", "ln -sf /run/later $file"])
def test_a_file_that_was_edited_is_told_and_mended(world, edit):
    """Nobody waits for what is no file any more, and nothing is written through it."""
    world.apply(SPEC)
    before = hosts(world, "front")
    world.host.run("sh", "-c", "file=$(readlink -f /etc/netns/front/hosts); " + edit)
    for _ in range(2):
        assert "names web" in world.weir("status", check=False).out
    world.weir("repair")
    assert hosts(world, "front") == before
    world.host.run("rm", "-r", "/etc/netns/@weir")
    world.weir("repair")
    assert hosts(world, "front") == before and world.weir("status").code == 0


# what happens to an endpoint's own files, and which of them is told
LOST = {
    "resolv.conf gone": ("rm /etc/netns/front/resolv.conf", "resolv.conf is not there"),
    "resolv.conf edited": ("echo nameserver 10.9.9.9 >> /etc/netns/front/resolv.conf", "resolv.conf is not what weir writes"),
    "hosts gone": ("rm /etc/netns/front/hosts", "hosts is not there"),
    "hosts of other networks": ("ln -sfn $(readlink /etc/netns/pg/hosts) /etc/netns/front/hosts", "hosts is not what weir writes"),
    "all gone": ("rm -r /etc/netns/front", "/etc/netns/front is not there"),
    "of one that asks the host's": ("echo '# weir' $(head -1 /etc/netns/front/resolv.conf | cut -d' ' -f3) endpoint pg"
                                    " > /etc/netns/pg/resolv.conf", "/etc/netns/pg/resolv.conf is not what weir writes"),
}


@behaviour("L2", "R2", "C4")
@pytest.mark.parametrize("what", LOST)
def test_a_file_that_is_lost_is_told_and_mended(world, what):
    world.apply({**SPEC, "endpoints": {**SPEC["endpoints"], "front": on("web", dns=["192.0.2.53", "2001:db8::53"])}})
    before, seen = world.snapshot(), hosts(world, "front")
    trick, says = LOST[what]
    world.host.run("sh", "-c", trick)
    drift = world.weir("status", json=True, check=False)["drift"]
    assert len(drift) == 1 and drift[0].endswith(says), drift
    assert "nothing to mend" not in world.weir("repair").out
    assert world.weir("status", json=True)["in_sync"]
    world.same(before, world.snapshot())
    assert hosts(world, "front") == seen
    assert "nameserver 192.0.2.53\nnameserver 2001:db8::53\n" in world.weir("exec", "front", "--", "cat", "/etc/resolv.conf").out


@behaviour("L2", "L15")
def test_all_of_it_goes(world):
    before = world.snapshot()
    world.apply(SPEC)
    assert world.exists("/etc/netns/@weir")
    world.weir("delete", "--all")
    assert not world.exists("/etc/netns")
    world.same(before, world.snapshot())


@behaviour("L2")
def test_files_of_the_user_stay_as_they_are(world):
    world.host.run("mkdir", "-p", "/etc/netns/front")
    world.host.run("sh", "-c", "echo 10.1.2.3 mine > /etc/netns/front/hosts")
    world.apply(SPEC)
    assert hosts(world, "front") == {"mine": {"10.1.2.3"}}
    # made the user's own later: a link, even to what is not there yet, a file without weir's first line
    world.weir("endpoint", "set", "pg", "--dns", "192.0.2.53")
    world.weir("endpoint", "set", "api", "--dns", "192.0.2.53")
    # or what no one may wait for
    world.host.run("sh", "-ec", "ln -sf /run/later /etc/netns/pg/resolv.conf; sed -i 1d /etc/netns/api/resolv.conf;"
                                " rm -f /etc/netns/front/resolv.conf; mknod /etc/netns/front/resolv.conf p")
    assert world.weir("status", json=True)["in_sync"]
    assert "nothing to mend" in world.weir("repair").out
    world.weir("endpoint", "set", "pg", "--dns", "192.0.2.54")
    assert world.weir("status", json=True)["in_sync"]
    assert world.host.run("readlink", "/etc/netns/pg/resolv.conf").out == "/run/later\n"
    world.weir("delete", "--all")
    world.host.run("test", "-p", "/etc/netns/front/resolv.conf")
    assert world.host.run("cat", "/etc/netns/api/resolv.conf").out == "nameserver 192.0.2.53\n"
    assert world.host.run("cat", "/etc/netns/front/hosts").out == "10.1.2.3 mine\n"


@behaviour("L2")
@elsewhere
@pytest.mark.parametrize("upstream", [True, False])
def test_a_resolver_on_the_hosts_loopback_is_passed_over(world, upstream):
    """systemd-resolved's stub cannot be reached from inside; those whom it asks can."""
    world.host.run("sh", "-c", "printf 'nameserver 127.0.0.53\\noptions edns0\\nsearch lan\\n' > /tmp/resolv;"
                   "rm -f /etc/resolv.conf; mv /tmp/resolv /etc/resolv.conf")
    if upstream:
        world.host.run("sh", "-c", "mkdir -p /run/systemd/resolve; printf 'nameserver 192.0.2.53\\nnameserver 2001:db8::53\\n'"
                       " > /run/systemd/resolve/resolv.conf")
    world.apply(SPEC)
    inside = world.weir("exec", "front", "--", "cat", "/etc/resolv.conf").out
    assert "options edns0" in inside and "search lan" in inside
    if upstream:
        assert "nameserver 192.0.2.53\nnameserver 2001:db8::53\n" in inside and "127.0.0.53" not in inside
        world.host.run("sh", "-c", "echo nameserver 2001:db8::54 > /run/systemd/resolve/resolv.conf")
        drift = world.weir("status", json=True, check=False)["drift"]
        assert "endpoint front: /etc/netns/front/resolv.conf is not what weir writes" in drift, drift
        world.weir("repair")
        inside = world.weir("exec", "front", "--", "cat", "/etc/resolv.conf").out
        assert "2001:db8::54" in inside and "192.0.2.53" not in inside
    else:
        assert "127.0.0.53" in inside, "nobody knows whom it asks"
    assert world.weir("status", json=True)["in_sync"]
    world.weir("endpoint", "add", "own", "--network", "web", "--dns", "192.0.2.99")
    assert [line for line in world.weir("exec", "own", "--", "cat", "/etc/resolv.conf").out.splitlines()
            if "nameserver" in line] == ["nameserver 192.0.2.99"]
