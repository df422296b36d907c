# SPDX-License-Identifier: GPL-2.0-or-later
"""Specs that several tests begin with. Network number n has 10.88.n.0/24 and fd00:88:n::/64."""


def dual(number, **more):
    return {"subnets": ["10.88.%d.0/24" % number, "fd00:88:%d::/64" % number], **more}


def on(*networks, **more):
    """An endpoint of these networks."""
    return {"networks": list(networks), **more}


def web(**network):
    """nginx publishes 8080, api is beside it, db stands in a network of its own."""
    return {
        "networks": {"web": dual(1, **network), "db": dual(2)},
        "endpoints": {"nginx": on("web", publish=["8080:80"]), "api": on("web"), "pg": on("db")},
    }


def everything():
    """A bit of all there is, so that deletion has something to forget."""
    spec = web(trusted=["eth0"], mtu=1400)
    spec["networks"].update({
        "closed": dual(3, internal=True), "apart": dual(4, isolate=True), "fixed": dual(5, nat=["192.0.2.11", "random"]),
        "wire": {**dual(6), "mode": "p2p"}, "routed": dual(7, nat="none", host="deny"),
        "bridged": dual(8, filter_bridged=True)})
    spec["endpoints"].update({
        "left": on("wire"), "right": on("wire", "web", forward=True), "c": on("closed"), "i": on("apart"),
        "f": on("fixed", publish=["127.0.0.1:9000:90", "7000-7009:8000-8009/udp",
                                   {"port": "192.0.2.1:9100-9102:91-93", "strict": True}], dns=["192.0.2.53"]),
        "r": on("routed", labels={"role": "front"}), "agent": {"mode": "host"}, "none": {"mode": "none"},
        "g": {"networks": {"bridged": {"isolated": True}}}})
    return spec
