# SPDX-License-Identifier: GPL-2.0-or-later
"""N4: the grammar of published ports, as words, as data and as packets."""
import pytest

from marks import behaviour, elsewhere, words_only
from specs import dual, on
from world import FAMILIES, V4, V6

# word: host address, protocol, host ports, endpoint's ports; None: chosen by weir
GOOD = {
    "80": (None, "tcp", None, [80, 80]),
    "80/tcp": (None, "tcp", None, [80, 80]),
    "53/udp": (None, "udp", None, [53, 53]),
    "8080:80": (None, "tcp", [8080, 8080], [80, 80]),
    "65535:1": (None, "tcp", [65535, 65535], [1, 1]),
    "192.0.2.1:8080:80": ("192.0.2.1", "tcp", [8080, 8080], [80, 80]),
    "127.0.0.1:8080:80": ("127.0.0.1", "tcp", [8080, 8080], [80, 80]),
    "127.0.0.1::80": ("127.0.0.1", "tcp", None, [80, 80]),
    "[2001:db8::1]:8443:443/tcp": ("2001:db8::1", "tcp", [8443, 8443], [443, 443]),
    "[2001:db8::1]::443": ("2001:db8::1", "tcp", None, [443, 443]),
    "8000-8010:9000-9010/udp": (None, "udp", [8000, 8010], [9000, 9010]),
    "192.0.2.1:8000-8010:8000-8010": ("192.0.2.1", "tcp", [8000, 8010], [8000, 8010]),
    "8000-9000:80": (None, "tcp", range(8000, 9001), [80, 80]),
    "3868:3868/sctp": (None, "sctp", [3868, 3868], [3868, 3868]),
}

# word: the column (from 1) that is to blame, and a word of the reason
BAD = {
    "": (1, "empty"),
    ":80": (1, ""),
    "8080:": (6, ""),
    ":": (1, ""),
    "80/": (4, "protocol"),
    "80/icmp": (4, "icmp"),
    "80/tcp/udp": (4, ""),
    "0:80": (1, "0"),
    "8080:0": (6, "0"),
    "65536:80": (1, "65536"),
    "8080:99999999999999999999": (6, ""),
    "8080:80x": (8, "x"),
    "x:80": (1, "x"),
    "-80": (1, ""),
    "80-": (4, ""),
    "8010-8000:9000-9010": (6, "upside down"),
    "8000-8010:9000-9011": (1, "length"),
    "8000-8010": (1, ""),
    "8080:80 ": (8, "space"),
    " 8080:80": (1, "space"),
    "8080:80,81": (8, ","),
    "8080:80\n": (8, ""),
    "192.0.2.1:80": (1, "192.0.2.1::80"),
    "192.0.2.256:8080:80": (1, "192.0.2.256"),
    "192.0.2.1:8080:80:1": (18, "colon"),
    "[::1]:8080:80": (2, "::1"),
    "[2001:db8::1:8080:80": (1, "bracket"),
    "[]:8080:80": (2, ""),
    "[192.0.2.1]:8080:80": (2, "IPv6"),
    "[2001:db8::g]:8080:80": (2, "2001:db8::g"),
    "[2001:db8::1]8080:80": (14, ":"),
    "2001:db8::1:8080:80": (1, "bracket"),
    "[fe80::1%eth0]:8080:80": (9, "zone"),
    "080:80": (1, "zero"),
    "+80:80": (1, "+"),
    "0x50:80": (2, "x"),
    "80:80/TCP4": (7, "TCP4"),
    "$(id):80": (1, "$"),
    "é:80": (1, ""),
}


@behaviour("N4")
@pytest.mark.parametrize("word", GOOD)
@words_only
def test_good_word(world, word):
    host, proto, host_ports, ports = GOOD[word]
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", "--subnet", "fd00:88:1::/64")
    world.weir("endpoint", "add", "a", "--network", "web", "-p", word)
    [got] = world.published("a")
    assert (got["host"], got["proto"], got["ports"]) == (host, proto, ports)
    if isinstance(host_ports, list):
        assert got["host_ports"] == host_ports
    else:
        assert got["host_ports"][0] == got["host_ports"][1]
        assert host_ports is None or got["host_ports"][0] in host_ports
    families = [f for f in FAMILIES if host is None or (":" in host) == (f is V6)]
    if proto == "sctp" and not world.place.emulated:
        return  # this kernel has no SCTP sockets to show it with
    world.ns("a").serve(ports[0], proto, last=ports[1])
    client = world.host if host == "127.0.0.1" else world.lan
    for family in families:
        for offset in {0, ports[1] - ports[0]}:
            there = client.connect(host or family.host, got["host_ports"][0] + offset, proto)
            assert (there.server, there.port) == ("a", ports[0] + offset), (family.host, there)


@behaviour("N4")
@words_only
def test_bad_words(world):
    """Each is refused with exit code 2, the word, and a caret below the byte to blame."""
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"a": on("web")}})
    before, wrong = world.snapshot(), []
    for word, (column, says) in BAD.items():
        for argv in (["endpoint", "add", "b", "--network", "web", "-p", word], ["port", "add", "a", word]):
            if word.startswith("-") and argv[0] == "port":
                continue  # an option there
            result = world.weir(*argv, check=False)
            if result.code != 2 or says not in result.err or caret(result.err, word) != column:
                wrong.append("%r: expected column %d and %r: %s" % (word, column, says, result))
    assert not wrong, "\n".join(wrong)
    world.same(before, world.snapshot())


def caret(text, word):
    """The column in the word that the caret line points at."""
    lines = text.splitlines()
    for above, line in zip(lines, lines[1:]):
        if line.strip() == "^":
            clean = word.rstrip("\n")
            start = above.find(clean) if clean.strip() else len(above)
            if clean.strip() and start < 0:
                start = len(above) - len(above.lstrip())
            return line.index("^") - start + 1 if clean.strip() else 1
    return None


@behaviour("N4", "R7")
@words_only
def test_bad_word_in_a_spec(world):
    """There the place is line and column of the file, moved to the byte to blame."""
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    text = "endpoints:\n  a:\n    networks: [web]\n    publish:\n      - %s\n"
    world.spec(text % '"8080:0"')
    world.refused(1, "apply", "spec.yaml", says=["spec.yaml:5:", "8080:0"])
    world.spec(text % "8080:80:90:100")
    world.refused(1, "apply", "spec.yaml", says="spec.yaml:5:")


@behaviour("N4")
@words_only
def test_loopback_of_ipv6_is_refused_with_its_reason(world):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    result = world.weir("endpoint", "add", "a", "--network", "web", "-p", "[::1]:8080:80", check=False)
    assert result.code == 2 and "kernel" in result.err and "127.0.0.1" in result.err, str(result)


@behaviour("N4")
@words_only
def test_unquoted_words_in_yaml(world):
    """80 is a number and 8080:80 could be base sixty to an old reader of YAML: both are ports here."""
    world.spec("networks:\n  web: {subnet: 10.88.1.0/24}\n"
               "endpoints:\n  a:\n    networks: [web]\n    publish: [80, 8080:81, 22:22]\n")
    world.weir("apply", "spec.yaml")
    got = sorted((p["ports"][0], p["host_ports"][0]) for p in world.published("a"))
    assert got[0] == (22, 22) and got[1][0] == 80 and got[2] == (81, 8080)


@behaviour("N4")
@elsewhere
@pytest.mark.parametrize("addr, spec", [(V4.host, "192.0.2.99:8080:80"), (V6.host, "[2001:db8::99]:8080:80")])
def test_address_that_the_host_lacks(world, addr, spec):
    """Legal: the address may come later. Until then the port is not open on any other address."""
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", "--subnet", "fd00:88:1::/64")
    world.weir("endpoint", "add", "a", "--network", "web", "-p", spec)
    world.ns("a").serve(80)
    assert world.lan.connect(addr, 8080).outcome == "refused"
    family = V6 if ":" in addr else V4
    other = "2001:db8::99" if family is V6 else "192.0.2.99"
    world.host.run("ip", "addr", "add", other, "dev", "eth0", *(["nodad"] if family is V6 else []))
    assert world.lan.connect(other, 8080).server == "a"


@behaviour("N4")
def test_a_part_of_a_published_range(world):
    """It is published already, and goes with the range only."""
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"a": on("web", publish=["8080-8082:80-82", V4.host + ":9000-9001:90-91/udp"])}})
    before = world.snapshot()
    for part in ("8081:81", "8080-8081:80-81", V4.host + ":9001:91/udp"):
        assert "nothing to change" in world.weir("port", "add", "a", part).out
        assert [p["spec"] for p in world.weir("port", "show", "a", part, json=True)["ports"]] == [
            V4.host + ":9000-9001:90-91/udp" if "udp" in part else "8080-8082:80-82"]
        world.refused(1, "port", "rm", "a", part, says=["as a part of", "weir port rm a "])
    world.refused(1, "port", "add", "a", V4.host + ":9001:91/udp", "--strict", says=["as a part of", ":9000-9001:90-91/udp"])
    for other in ("8081:82", "8082-8083:82-83"):
        world.refused(1, "port", "add", "a", other, says="published twice")
        world.refused(1, "port", "show", "a", other, says="does not publish")
    world.same(before, world.snapshot())
    world.ns("a").serve(81)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8081).server == "a"
    world.weir("port", "rm", "a", "8080-8082:80-82")
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8081).outcome == "refused"
