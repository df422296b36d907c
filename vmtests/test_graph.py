# SPDX-License-Identifier: GPL-2.0-or-later
"""U: what is there, drawn."""
import re
import shlex

from marks import behaviour, words_only
from specs import web
from world import wait_until

TREE = """\
host
├─ back  bridge wb-back  10.88.2.0/24  internal
│  └─ pg  eth0 10.88.2.10
├─ front  bridge wb-front  10.88.1.0/24 fd00:88:1::/64  masquerade
│  ├─ api  eth0 10.88.1.2 fd00:88:1::2 isolated
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
        "api": {"networks": {"front": {"ip": ["10.88.1.2", "fd00:88:1::2"], "isolated": True}}},
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
    assert drawn.count("\\nisolated\"]") == 1


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
    assert sum("fd00:88:1::2 isolated\" --- e" in line for line in lines) == 1
    world.refused(2, "graph", "--format", "svg", says=["text, dot or mermaid", "svg"])


POLICIES = {
    "networks": {
        "front": {"subnet": "10.88.1.0/24"},
        "back": {"subnet": "10.88.2.0/24", "default": {"ingress": "deny", "egress": "allow"}},
    },
    "endpoints": {
        **{"api%d" % i: {"networks": {"front": {"ip": "10.88.1.%d" % (10 + i)}}, "labels": {"role": "api"}}
           for i in range(2)},
        **{"job%d" % i: {"networks": {"front": {"ip": "10.88.1.%d" % (30 + i)}}, "labels": {"say": 'a"b\\'}}
           for i in range(7)},
        "pg": {"networks": {"back": {"ip": "10.88.2.10"}}},
    },
    "policies": [
        {"name": "ask", "from": {"labels": {"role": "api"}}, "to": {"endpoint": "pg"},
         "ports": ["5432/tcp", "icmp"], "action": "allow"},
        {"name": "each-other", "from": {"labels": {"role": "api"}}, "to": {"labels": {"role": "api"}},
         "action": "allow"},
        {"name": "jobs", "from": {"labels": {"say": 'a"b\\'}}, "to": "outside", "action": "reject", "priority": -1},
        {"name": "nets", "from": {"network": "front"}, "to": {"cidr": "192.0.2.0/24"}, "action": "deny",
         "direction": "egress"},
        {"name": "page", "to": {"endpoint": "api0"}, "ports": ["80/tcp"], "action": "allow"},
        {"name": "watch", "from": "host", "to": {"network": "back"}, "action": "allow"},
    ],
}
LINES = """\
policies
├─ nets  network:front → cidr:192.0.2.0/24  all deny  egress
├─ ask  label:role=api → endpoint:pg  5432/tcp icmp allow
├─ each-other  label:role=api → label:role=api  all allow
├─ page  any → endpoint:api0  80/tcp allow
├─ watch  host → network:back  all allow
└─ jobs  label:say=a"b\\ → outside  all reject  priority -1
"""


@behaviour("U2", "P4")
@words_only
def test_the_text_ends_with_what_policies_say(world):
    world.apply(POLICIES)
    drawn = world.weir("graph").out
    assert drawn.endswith(LINES)
    assert "├─ back  bridge wb-back  10.88.2.0/24  masquerade  ingress deny  egress allow\n" in drawn
    data = world.weir("graph", json=True)
    assert data["policies"] == world.weir("policy", "ls", json=True)["policies"]
    assert [p["name"] for p in data["policies"]] == ["nets", "ask", "each-other", "page", "watch", "jobs"]


def edges(plain):
    """(from, to) of each edge that Graphviz has read."""
    return [tuple(shlex.split(line)[1:3]) for line in plain.splitlines() if line.startswith("edge ")]


@behaviour("U2", "P4")
@words_only
def test_graphviz_has_an_arrow_from_whom_to_whom(world):
    """To each endpoint where a selector picks a few; else to a node with its words."""
    world.apply(POLICIES)
    drawn = world.weir("graph", "--format", "dot").out
    plain = world.host.run("dot", "-Tplain", stdin=drawn).out
    words = {shlex.split(line)[1]: shlex.split(line)[6] for line in plain.splitlines()
             if line.startswith("node selector ") or line.startswith('node "selector ')}
    assert sorted(words.values()) == ["any", "cidr:192.0.2.0/24", 'label:say=a"b\\']
    named = {label: node for node, label in words.items()}
    found = edges(plain)
    for arrow in [("endpoint api0", "endpoint pg"), ("endpoint api1", "endpoint pg"),
                  ("endpoint api0", "endpoint api1"), ("endpoint api1", "endpoint api0"),
                  (named['label:say=a"b\\'], "outside"), ("network front", named["cidr:192.0.2.0/24"]),
                  (named["any"], "endpoint api0"), ("host", "network back")]:
        assert found.count(arrow) == 1, arrow
    assert ("endpoint api0", "endpoint api0") not in found, "nobody needs a policy to talk to itself"
    assert not [edge for edge in found if edge[0].startswith("endpoint job")], "seven are too many to draw"
    assert len(found) == 2 + 10 + 8  # networks and the outside, members, policies
    assert drawn.count("arrowhead=tee, color=red") == 2 and drawn.count("color=darkgreen") == 6


@behaviour("U2", "P4")
@words_only
def test_mermaid_has_an_arrow_from_whom_to_whom(world):
    world.apply(POLICIES)
    lines = world.weir("graph", "--format", "mermaid").out.splitlines()
    number = {line.split('"')[1]: line.split("[")[0].strip() for line in lines if re.match(r"\te\d+\[", line)}
    words = {line.split('"')[1]: line.split(">")[0].strip() for line in lines if re.match(r"\ts\d+>", line)}
    assert set(words) == {"any", "cidr:192.0.2.0/24", "label:say=a#quot;b\\"}
    arrow = "\t%s == \"ask<br/>5432/tcp icmp allow\" ==> %s"
    assert arrow % (number["api0"], number["pg"]) in lines and arrow % (number["api1"], number["pg"]) in lines
    assert "\t%s == \"jobs<br/>all reject\" ==x outside" % words["label:say=a#quot;b\\"] in lines
    assert sum(" ==> " in line for line in lines) == 6 and sum(" ==x " in line for line in lines) == 2
    assert "\thost([host])" in lines


@behaviour("U2")
@words_only
def test_without_policies_nothing_is_said_of_them(world):
    world.apply(SPEC)
    for form in ["text", "dot", "mermaid"]:
        drawn = world.weir("graph", "--format", form).out
        assert "policies" not in drawn and "selector" not in drawn and '"host"' not in drawn
    assert world.weir("graph", json=True)["policies"] == []


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
