# SPDX-License-Identifier: GPL-2.0-or-later
"""U: what is there, drawn."""
from marks import behaviour, words_only
from specs import web
from world import wait_until

TREE = """\
host
├─ back  bridge wb-back  10.88.2.0/24  internal
│  └─ pg  eth0 10.88.2.10
├─ front  bridge wb-front  10.88.1.0/24 fd00:88:1::/64  masquerade
│  ├─ api  eth0 10.88.1.2 fd00:88:1::2
│  └─ nginx  eth0 10.88.1.3 fd00:88:1::3
│     ├─ published 8080/tcp → 80
│     └─ published 127.0.0.1:8443/tcp → 443
├─ left  bridge wb-left  10.88.3.0/24  gateway router
│  └─ router  eth0 10.88.3.1  router
└─ lonely  no network
"""
SPEC = {
    "networks": {
        "front": {"subnets": ["10.88.1.0/24", "fd00:88:1::/64"]},
        "back": {"subnet": "10.88.2.0/24", "internal": True},
        "left": {"subnet": "10.88.3.0/24", "gateway": "router"},
    },
    "endpoints": {
        "nginx": {"networks": {"front": {"ip": ["10.88.1.3", "fd00:88:1::3"]}},
                  "publish": ["8080:80", "127.0.0.1:8443:443"]},
        "api": {"networks": {"front": {"ip": ["10.88.1.2", "fd00:88:1::2"]}}},
        "pg": {"networks": {"back": {"ip": "10.88.2.10"}}},
        "router": {"networks": {"left": {"ip": "10.88.3.1"}}, "forward": True},
        "lonely": {"mode": "none"},
    },
}


@behaviour("U2")
@words_only
def test_the_tree_of_what_is_there(world):
    assert world.weir("graph").out == "host: nothing of weir's is there\n"
    world.apply(SPEC)
    assert world.weir("graph").out == TREE
    data = world.weir("graph", json=True)
    assert [n["name"] for n in data["networks"]] == ["back", "front", "left"]
    assert {e["name"] for e in data["endpoints"]} == {"nginx", "api", "pg", "router", "lonely"}


@behaviour("U2")
@words_only
def test_graphviz_reads_what_is_drawn(world):
    world.apply(SPEC)
    drawn = world.weir("graph", "--format", "dot").out
    plain = world.host.run("dot", "-Tplain", stdin=drawn).out.splitlines()
    assert {line.split()[0] for line in plain} == {"graph", "node", "edge", "stop"}
    assert sum(line.startswith("node ") for line in plain) == 1 + 3 + 5  # the outside, networks, endpoints
    # each attachment, each mapping, and the one network that the host translates for
    assert sum(line.startswith("edge ") for line in plain) == 4 + 2 + 1
    assert '"endpoint nginx"' in drawn and "8080/tcp → 80" in drawn


@behaviour("U2")
@words_only
def test_mermaid_names_and_joins_everything(world):
    world.apply(SPEC)
    drawn = world.weir("graph", "--format", "mermaid").out
    lines = drawn.splitlines()
    assert lines[0] == "flowchart LR"
    assert sum(" --- e" in line for line in lines) == 4
    assert sum(" --> e" in line for line in lines) == 2
    assert sum(" -. " in line for line in lines) == 1
    world.refused(2, "graph", "--format", "svg", says=["text, dot or mermaid", "svg"])


@behaviour("L4")
def test_network_show_prints_the_neighbours(world):
    """Whom the host knows in a network, by address and MAC."""
    world.apply(web())
    address = world.address("nginx")
    assert world.host.ping(address)

    def known():
        neighbours = world.weir("network", "show", "web", json=True)["network"]["neighbours"]
        return [n for n in neighbours if n["address"] == address and n["mac"]]
    found = wait_until(known, "the host knows nginx")
    assert found[0]["mac"] == world.ns("nginx").mac() and found[0]["endpoint"] == "nginx"
    assert address in world.weir("network", "show", "web").out.split("neighbours:")[1]
