# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the behaviour suite, and the record of which behaviour passed where.

A test asks for `world` and never knows the backend or the place. Marks:
    @behaviour("N4", "N5")   what the test shows (numbers of behaviours.txt)
    @every_switch            run with bridge-netfilter off, on for weir's bridges, and on globally
    @neighbours              a second NIC with lan2 behind it
    @only("nftables")        about that packet filter itself; skipped on others
"""
import fcntl
import json
import os
import pathlib
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import place  # noqa: E402
import world as worlds  # noqa: E402

RECORD = place.BUILD / "behaviours.json"
outcomes, known = [], set()


def pytest_addoption(parser):
    parser.addoption("--backend", default=os.environ.get("WEIR_TEST_BACKENDS", "nftables"),
                     help="comma-separated backends (nftables)")


def pytest_configure(config):
    for line in ("behaviour(*numbers): what the test shows", "every_switch: run with each bridge-netfilter switch",
                 "neighbours: a second NIC", "only(backend): about that packet filter itself",
                 "slow: many runs of weir"):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        metafunc.parametrize("backend", [
            pytest.param(name, marks=pytest.mark.skip(reason="about %s itself" % ", ".join(only.args)))
            if only and name not in only.args else name
            for name in metafunc.config.getoption("backend").split(",")])
    if "bridge_netfilter" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_switch")
        metafunc.parametrize("bridge_netfilter", ["off", "on", "global"] if every else ["off"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Which tests there are, before -k takes some out: the record forgets those that are no more."""
    if not any("::" in arg for arg in config.args):
        known.update(_name(item) for item in items)


@pytest.fixture(scope="session")
def somewhere():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if not (place.BUILD / "weir").exists():
        pytest.skip("%s is not built" % (place.BUILD / "weir"))
    machine_before = _own_links()
    with tempfile.TemporaryDirectory(prefix="weir-tests-") as folder:
        os.chmod(folder, 0o755)  # tests without root run it too
        yield place.HostKernel(folder)
    assert _own_links() == machine_before, "the machine's own namespace was touched"


def _own_links():
    return sorted(os.listdir("/sys/class/net"))


@pytest.fixture
def world(request, somewhere, backend, bridge_netfilter, tmp_path):
    made = worlds.World(somewhere, backend, tmp_path, bridge_netfilter,
                        lan2=request.node.get_closest_marker("neighbours") is not None)
    request.node.world = made
    yield made
    made.close()


@pytest.fixture(autouse=True)
def deadline(request):
    """A test that hangs fails; @slow ones may take longer."""
    def late(*_):
        raise TimeoutError("the test took too long")
    signal.signal(signal.SIGALRM, late)
    slow = 900 if os.environ.get("WEIR_TEST_EXHAUSTIVE") else 180
    signal.alarm(slow if request.node.get_closest_marker("slow") else 30)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    made = getattr(item, "world", None)
    if report.failed and call.when == "call" and made is not None:
        commands, rules = made.report()
        report.sections += [("commands", commands), ("ruleset", rules)]
    if call.when == "call" or report.skipped or (report.failed and call.when == "setup"):
        _note(item, report)


def _note(item, report):
    numbers = [n for mark in item.iter_markers("behaviour") for n in mark.args]
    parameters = getattr(item, "callspec", None)
    backend = parameters.params.get("backend", "") if parameters else ""
    outcomes.append({"test": _name(item), "behaviours": numbers, "backend": backend, "outcome": report.outcome})


def _name(item):
    path, _, test = item.nodeid.partition("::")
    return path.split("/")[-1] + "::" + test


def pytest_sessionfinish():
    """Adds this run to the record; what was not run keeps what it said last."""
    if not outcomes:
        return
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with open(RECORD.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs side by side lose nothing
        _write_record()


def _write_record():
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"version": 1, "tests": {}}
    where = {"place": "host", "kernel": os.uname().release}
    record["tests"].update({outcome.pop("test"): outcome | where for outcome in outcomes})
    files = {path.name for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    seen = {name.split("::")[0] for name in known}
    record["tests"] = {k: v for k, v in sorted(record["tests"].items())
                       if k.split("::")[0] in files and (k in known or k.split("::")[0] not in seen)}
    fresh = RECORD.with_suffix(".%d" % os.getpid())
    fresh.write_text(json.dumps(record, indent=1) + "\n")
    fresh.rename(RECORD)
