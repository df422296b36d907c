# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages that cannot be: each gets a clear error with its line, from `plan` where it can be known before, and the
host is as it was."""
import pytest

from marks import behaviour, elsewhere, words_only
from modes import can
from specs import dual, on

WEB = "networks:\n  web: {subnet: 10.88.1.0/24}\n"
CIRCLE = """networks:
  a: {subnets: [10.88.1.0/24, "fd00:88:1::/64"], gateway: r1}
  b: {subnets: [10.88.2.0/24, "fd00:88:2::/64"], gateway: r2}
endpoints:
  r1: {networks: [a, b], forward: true}
  r2: {networks: [a, b], forward: true}
"""
# what it is, the page, the line that is to blame, what is said of it
PAGES = [
    ("an interface of the host's", "networks:\n  web:\n    subnet: 10.88.1.0/24\n    bridge: eth0\n", 2,
     ["eth0", "not weir's"]),
    ("one bridge for two", "networks:\n  a: {subnet: 10.88.1.0/24, bridge: br7}\n"
                           "  b: {subnet: 10.88.2.0/24, bridge: br7}\n", 3, ["br7", '"a"']),
    ("one VLAN for two", "networks:\n  a: {subnet: 10.88.1.0/24, mode: vlan, parent: eth0, vlan: 7}\n"
                         "  b: {subnet: 10.88.2.0/24, mode: vlan, parent: eth0, vlan: 7}\n", 3,
     ["VLAN 7 on eth0", '"a"']),
    ("one name for two interfaces", WEB + "  db: {subnet: 10.88.2.0/24}\nendpoints:\n  x:\n    networks:\n"
                                          "      web: {ifname: front}\n      db: {ifname: front}\n", 8,
     ['"front"', '"web"', '"db"']),
    ("a name too long", WEB + "endpoints:\n  x:\n    networks:\n      web: {ifname: a-name-much-too-long}\n", 6,
     ["a-name-much-too-long", "15"]),
    ("a rate of zero", WEB + "endpoints:\n  x:\n    networks: [web]\n    rate: 0mbit\n", 6, ["rate", "0mbit"]),
    ("a rate without a unit", WEB + "endpoints:\n  x:\n    networks: [web]\n    rate: 0\n", 6, ["rate", "0"]),
    ("a MAC of many", WEB + "endpoints:\n  x:\n    networks:\n      web: {mac: \"01:00:5e:00:00:01\"}\n", 6,
     ["01:00:5e:00:00:01", "multicast"]),
    ("no such parent", "networks:\n  lan:\n    subnet: 10.88.1.0/24\n    mode: vlan\n    parent: eth7\n    vlan: 5\n", 2,
     ["eth7", "not there"]),
    ("a circle of routers", CIRCLE, 2, ['"r1"', '"r2"', 'network "b"', "circle"]),
    ("a circle of three", CIRCLE.replace("\nendpoints", "\n  c: {subnet: 10.88.3.0/24, gateway: r3}\nendpoints")
     .replace("r2: {networks: [a, b]", "r2: {networks: [b, c]") + "  r3: {networks: [c, a], forward: true}\n", 2,
     ['"r1"', '"r2"', '"r3"', "circle"]),
]
LATE = {"an interface of the host's", "no such parent"}  # nobody looks at the host's interfaces before


@behaviour("R1", "R7", "U1")
@pytest.mark.parametrize("page, line, says", [page[1:] for page in PAGES], ids=[page[0] for page in PAGES])
@words_only
def test_pages_that_cannot_be(world, request, page, line, says):
    (world.folder / "spec.yaml").write_text(page)
    late = any(name in request.node.name for name in LATE)
    for verb in ("apply",) if late else ("plan", "apply"):
        result = world.refused(1, verb, "spec.yaml", says=["spec.yaml:%d:" % line, *says])
        assert result.err.count("\n") == 1, str(result)


@behaviour("R1", "L11")
@words_only
def test_circle_that_is_closed_later(world):
    """By a page of its own, by a verb and by a priority."""
    (world.folder / "circle.yaml").write_text(CIRCLE)
    open_ = {"networks": {"a": dual(1, gateway="r1"), "b": dual(2, gateway="r2"), "out": dual(3)}, "endpoints": {
        "r1": on("a", "b", forward=True),
        "r2": {"networks": {"a": {}, "b": {}, "out": {"priority": 1}}, "forward": True}, "x": on("a")}}
    world.apply(open_)
    world.refused(1, "apply", "circle.yaml", "--prune", says=["circle.yaml:2:", "circle"])
    world.refused(1, "endpoint", "set", "r2", "--network", "out,priority=-1", says=["circle", '"r1"'])
    world.refused(1, "network", "set", "out", "--internal", says=["circle"])


@behaviour("R1", "L10", "L11")
def test_interface_name_that_somebody_has(world):
    """In a namespace that is not weir's; and a bridge of somebody's, whose name a network wants."""
    theirs = world.netns("theirs")
    theirs.run("ip", "link", "set", "lo", "up")
    theirs.run("ip", "link", "add", "front", "type", "bridge")
    world.host.run("ip", "link", "add", "br-theirs", "type", "bridge")
    (world.folder / "spec.yaml").write_text(
        WEB + "endpoints:\n  x:\n    netns: theirs\n    networks:\n      web: {ifname: front}\n")
    world.refused(1, "apply", "spec.yaml", says=["spec.yaml:7:", "front", "not weir's"])
    (world.folder / "spec.yaml").write_text(WEB.replace("24}", "24, bridge: br-theirs}"))
    world.refused(1, "apply", "spec.yaml", says=["spec.yaml:2:", "br-theirs", "not weir's"])
    world.apply({"networks": {"web": dual(1, bridge="br7")}})
    (world.folder / "spec.yaml").write_text("networks:\n  b: {subnet: 10.88.2.0/24, bridge: br7}\n")
    for verb in ("plan", "apply"):
        world.refused(1, verb, "spec.yaml", says=["spec.yaml:2:", "br7", '"web"'])


@behaviour("R1", "U2")
@words_only
def test_process_and_backend_that_are_not_there(world):
    world.weir("network", "add", "web")
    world.refused(1, "endpoint", "add", "x", "--network", "web", "--pid", "4194304", says=['"x"', "no process 4194304"])
    world.refused(2, "--backend", "nosuch", "status", says=["--backend nosuch", "nftables"])
    world.refused(2, "status", env={"WEIR_BACKEND": "nosuch"}, says=["WEIR_BACKEND nosuch", "nftables"])


@behaviour("R7", "U2")
@words_only
def test_backend_and_state_folder_that_cannot_be(world):
    """Even where the verb needs neither, and with nothing there to be looked at."""
    world.spec({"networks": {"web": dual(1)}})
    before = world.snapshot()
    for words in ("network ls", "network show web", "endpoint ls", "port ls", "policy ls", "status", "backend", "backend use auto",
                  "render", "graph", "version", "plan spec.yaml", "network add x", "policy test --from outside --to host",
                  "repair", "restore", "delete --all", "exec web -- true"):
        wrong = [(["--backend", "foo"], None, "--backend foo"), ([], {"WEIR_BACKEND": "foo"}, "WEIR_BACKEND foo"),
                 (["--backend", ""], None, '--backend "": no backend'), (["--state-dir", ""], None, '--state-dir "": expected')]
        for options, env, says in wrong:
            result = world.weir(*options, *words.split(), check=False, env=env)
            assert result.code == 2 and result.out == "" and says in result.err, str(result)
    world.same(before, world.snapshot())
    world.weir("--backend", "foo", "network", "--help")


@behaviour("R1", "L14")
@elsewhere
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "vlan"])
def test_mode_that_the_kernel_lacks(world, kind):
    (world.folder / "spec.yaml").write_text("networks:\n  lan: {subnet: 192.0.2.64/26, mode: %s, parent: eth0%s}\n"
                                            "endpoints:\n  x: {networks: [lan]}\n" % (kind, ", vlan: 5" * (kind == "vlan")))
    if can(world, kind):
        world.weir("apply", "spec.yaml")
        assert world.ns("x").mac()
    else:
        world.refused(4, "apply", "spec.yaml", says=["spec.yaml:", "this kernel has no", "CONFIG_"])
