# SPDX-License-Identifier: GPL-2.0-or-later
"""Recipes that people know from Kubernetes' NetworkPolicy, in weir's words, with what they promise as packets.

There a pod that a policy picks is closed in that policy's direction but for what some policy allows; here that is
the default of the network the endpoint is in, and `direction` says whose word a policy is. Expectations were
written from what the recipes promise, not from what weir does."""
import pytest
from marks import behaviour, elsewhere
from specs import dual, on
from world import FAMILIES


SHUT_IN, SHUT_OUT = {"default": {"ingress": "deny"}}, {"default": {"ingress": "allow", "egress": "deny"}}
SHUT = {"default": {"ingress": "deny", "egress": "deny"}}
OPEN = {"default": {"ingress": "allow"}}
OUTSIDE = "outside"


def cluster(policies, app=None, other=None):
    """Two namespaces of a cluster, as networks: app with web, api and db; other with a stranger."""
    return {"networks": {"app": dual(1, **(app or OPEN)), "other": dual(2, **(other or OPEN))},
            "endpoints": {"web": on("app", labels={"app": "shop", "role": "web"}),
                          "api": on("app", labels={"app": "shop", "role": "api"}),
                          "db": on("app", labels={"app": "shop", "role": "db"}),
                          "other": on("other", labels={"app": "tools"})},
            "policies": policies}


def allow(name, **keys):
    return {"name": name, "action": "allow", **keys}


BLOCK = {"block": "10.88.0.0/16", "except": ["10.88.2.0/24"]}
BLOCK6 = {"block": "fd00:88::/32", "except": ["fd00:88:2::/64"]}
ROLE = {role: {"labels": {"role": role}} for role in ("web", "api", "db")}

# name: (spec, [who -> whom that passes], [that does not]); "80" is TCP, "53u" is UDP
RECIPES = {
    "deny all ingress": (
        cluster([], app=SHUT_IN),
        ["web>other:80", "web>outside:80"], ["api>web:80", "other>web:80", "other>db:53u"]),
    "deny all egress": (
        cluster([], app=SHUT_OUT),
        ["other>web:80"], ["web>other:80", "web>api:80", "web>outside:80", "db>outside:53u"]),
    "deny all, both directions": (
        cluster([], app=SHUT),
        ["other>outside:80"], ["web>api:80", "other>web:80", "web>other:80", "web>outside:80"]),
    "allow all ingress": (
        cluster([allow("in", to={"network": "app"}, direction="ingress")], app=SHUT_IN),
        ["api>web:80", "other>db:53u"], []),
    "allow all egress": (
        cluster([allow("out", direction="egress", **{"from": {"network": "app"}})], app=SHUT_OUT),
        ["web>outside:80", "web>other:80", "api>db:80"], []),
    "allow the same label": (
        cluster([allow("shop", to={"labels": {"app": "shop"}}, **{"from": {"labels": {"app": "shop"}}})], app=SHUT_IN),
        ["web>api:80", "api>db:53u", "db>web:80"], ["other>web:80", "other>db:80"]),
    "allow from one role to one port": (
        cluster([allow("web-to-api", ports=["80/tcp"], to=ROLE["api"], **{"from": ROLE["web"]}),
                 allow("api-to-db", ports=["5432/tcp"], to=ROLE["db"], **{"from": ROLE["api"]})], app=SHUT),
        ["web>api:80", "api>db:5432"],
        ["web>api:5432", "web>db:5432", "api>db:80", "db>api:80", "other>api:80", "api>web:80"]),
    "allow from another namespace": (
        cluster([allow("tools", to=ROLE["db"], **{"from": {"network": "other"}})], app=SHUT_IN),
        ["other>db:5432", "other>db:53u"], ["other>web:80", "web>db:5432"]),
    "allow from a namespace and a label in it": (
        cluster([allow("tools", to=ROLE["db"], **{"from": {"network": "other", "labels": {"app": "shop"}}})], app=SHUT_IN),
        [], ["other>db:5432", "web>db:5432"]),
    "allow from a block, except": (
        cluster([allow("block", to=ROLE["web"], ports=["80/tcp"], direction="ingress",
                       **{"from": {"cidr": [BLOCK, BLOCK6]}})], app=SHUT_IN),
        ["api>web:80"], ["other>web:80", "api>web:5432", "api>db:80"]),
    "an exception of one block is none of another": (
        cluster([allow("block", to=ROLE["web"], direction="ingress", **{"from": {"cidr": [BLOCK, BLOCK6]}}),
                 allow("stranger", to=ROLE["web"], direction="ingress",
                       **{"from": {"cidr": ["10.88.2.0/24", "fd00:88:2::/64"]}})], app=SHUT_IN),
        ["api>web:80", "other>web:80"], ["other>db:80"]),
    "a range of ports": (
        cluster([allow("range", ports=["5000-6000/tcp"], to=ROLE["db"], direction="ingress", **{"from": {"network": "app"}})],
                app=SHUT_IN),
        ["web>db:5432"], ["web>db:80", "web>db:53u", "other>db:5432"]),
    "deny egress but DNS": (
        cluster([allow("dns", ports=["53/udp", "53/tcp"], direction="egress", **{"from": {"network": "app"}})], app=SHUT_OUT),
        ["web>outside:53u", "web>other:53u"], ["web>outside:80", "web>api:80"]),
    "egress to the outside only": (
        cluster([allow("out", to="outside", **{"from": {"network": "app"}})], app=SHUT_OUT),
        ["web>outside:80", "db>outside:53u"], ["web>api:80", "web>other:80"]),
    "both ends must allow": (
        cluster([allow("out", direction="egress", to={"network": "other"}, **{"from": ROLE["web"]}),
                 allow("in", direction="ingress", to={"network": "other"}, ports=["80/tcp"], **{"from": {"network": "app"}})],
                app=SHUT_OUT, other=SHUT_IN),
        ["web>other:80"], ["web>other:5432", "api>other:80", "web>outside:80"]),
    "allows add up": (
        cluster([allow("one", ports=["80/tcp"], to=ROLE["db"], **{"from": ROLE["web"]}),
                 allow("two", ports=["5432/tcp"], to=ROLE["db"], **{"from": ROLE["web"]}),
                 allow("three", ports=["53/udp"], to=ROLE["db"], **{"from": ROLE["api"]})], app=SHUT_IN),
        ["web>db:80", "web>db:5432", "api>db:53u"], ["web>db:53u", "api>db:80"]),
}


def parse(text):
    source, rest = text.split(">")
    to, port = rest.split(":")
    return source, to, int(port.rstrip("u")), "udp" if port.endswith("u") else "tcp"


# each mechanism once: exceptions, and what both ends must say
ELSEWHERE = ("allow from a block, except", "both ends must allow")


@behaviour("P4", "P5", "S9")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=elsewhere if name in ELSEWHERE else ()) for name in sorted(RECIPES)],
    ids=lambda name: name.replace(" ", "-").replace(",", ""))
def test_recipe(world, name):
    spec, passing, closed = RECIPES[name]
    world.apply(spec)
    used = {parse(text) for text in passing + closed}
    for _, to, port, proto in sorted({(None, *flow[1:]) for flow in used}, key=str):
        (world.lan if to == OUTSIDE else world.ns(to)).serve(port, proto)
    for family in FAMILIES:
        for text in passing:
            source, to, port, proto = parse(text)
            addr = family.outside if to == OUTSIDE else world.address(to, family.version)
            said = world.ns(source).connect(addr, port, proto)
            assert said.server == ("lan" if to == OUTSIDE else to), "%s IPv%d: %s" % (text, family.version, said)
        for text in closed:
            source, to, port, proto = parse(text)
            at = world.lan if to == OUTSIDE else world.ns(to)
            addr = family.outside if to == OUTSIDE else world.address(to, family.version)
            world.denied(world.ns(source), addr, port, at, proto, marker=family.lan if to == OUTSIDE else None)
