# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the behaviour suite, and the record of which behaviour passed where.

A test asks for `world` and never knows the backend or the place: `--kernel host,6.12` chooses among this host's
kernel and QEMU machines of others. Marks:
    @behaviour("N4", "N5")   what the test shows (numbers of behaviours.txt)
    @every_switch            run with bridge-netfilter off, on for weir's bridges, and on globally
    @neighbours              a second NIC with lan2 behind it
    @only("nftables")        about that packet filter itself; skipped on others
    @here("why")             on this host's kernel only
    @across                  the lan is a machine of its own, on a wire, where there are machines
    @machines                makes machines of its own: not on this host's kernel
    @elsewhere               one of the few that `make check CI=1` runs on other kernels too
"""
import fcntl
import fnmatch
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
outcomes, known, ran = {}, set(), {}


def pytest_addoption(parser):
    parser.addoption("--backend", default=os.environ.get("WEIR_TEST_BACKENDS", "nftables"),
                     help="comma-separated backends (nftables)")
    parser.addoption("--kernel", default=os.environ.get("WEIR_TEST_KERNELS", "host"),
                     help="comma-separated kernels: host, or versions that vm/kernels.py knows (host)")
    parser.addoption("--slice", action="store_true",
                     help="those that carry @elsewhere; of the bridge-netfilter switches the two extremes")
    parser.addoption("--part", default="1/1", help="N/M: every Mth test, from the Nth on")


def pytest_configure(config):
    for line in ("behaviour(*numbers): what the test shows", "every_switch: run with each bridge-netfilter switch",
                 "neighbours: a second NIC", "only(backend): about that packet filter itself",
                 "slow: many runs of weir", "here(why): on this host's kernel only",
                 "machines: makes machines of its own", "across: the lan is a machine of its own where there are any",
                 "elsewhere: make check CI=1 runs it on other kernels too"):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc):
    def mark(name):
        return metafunc.definition.get_closest_marker(name)

    def parametrize(name, values, skip, **more):
        """Of the values those are skipped for which skip() gives a reason."""
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, [
                pytest.param(value, marks=pytest.mark.skip(reason=skip(value)) if skip(value) else ())
                for value in values], **more)

    def unfit(kernel):
        return kernel == "host" and mark("machines") and "needs machines of its own"

    only = mark("only")
    parametrize("somewhere", metafunc.config.getoption("kernel").split(","), unfit, indirect=True, scope="session")
    parametrize("backend", metafunc.config.getoption("backend").split(","),
                lambda name: only and name not in only.args and "about %s itself" % ", ".join(only.args))
    parametrize("bridge_netfilter", ["off", "on", "global"] if mark("every_switch") else ["off"], lambda _: None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Which tests there are, before -k takes some out: the record forgets those that are no more."""
    if not any("::" in arg for arg in config.args):
        known.update(_name(item) for item in items)
    if config.getoption("slice"):
        items[:] = [item for item in items if item.get_closest_marker("elsewhere")
                    and getattr(item, "callspec", None) and item.callspec.params.get("bridge_netfilter") != "on"]
    for item in items:
        here, parameters = item.get_closest_marker("here"), getattr(item, "callspec", None)
        if here and parameters and parameters.params.get("somewhere", "host") != "host":
            item.add_marker(pytest.mark.skip(reason=here.args[0]))
    part, parts = map(int, config.getoption("part").split("/"))
    items[:] = [item for number, item in enumerate(items) if number % parts == part - 1]
    ran.update(kernel=config.getoption("kernel").split(","), backend=config.getoption("backend").split(",") + [""])


@pytest.fixture(scope="session")
def somewhere(request):
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if not (place.BUILD / "weir").exists():
        pytest.skip("%s is not built" % (place.BUILD / "weir"))
    machine_before = _own_links()
    with tempfile.TemporaryDirectory(prefix="weir-tests-") as folder:
        os.chmod(folder, 0o755)  # tests without root run it too
        host = place.HostKernel(folder)
        yield host if request.param == "host" else _guest(request.param, host)
    assert _own_links() == machine_before, "the machine's own namespace was touched"


def _guest(kernel, host):
    import guests  # needs what a run on this host's kernel does not
    return guests.Kernel(kernel, host)


def _own_links():
    return sorted(os.listdir("/sys/class/net"))


@pytest.fixture
def world(request, somewhere, backend, bridge_netfilter, tmp_path):
    made = worlds.World(somewhere, backend, tmp_path, bridge_netfilter,
                        lan2=request.node.get_closest_marker("neighbours") is not None,
                        across=request.node.get_closest_marker("across") is not None)
    request.node.world = made
    yield made
    complaints = made.complaints()
    made.close()
    assert not complaints, "the kernel complains\n" + complaints


@pytest.fixture(autouse=True)
def deadline(request):
    """A test that hangs fails; @slow ones may take longer, and a machine that is emulated."""
    def late(*_):
        raise TimeoutError("the test took too long")
    signal.signal(signal.SIGALRM, late)
    slow = 900 if os.environ.get("WEIR_TEST_EXHAUSTIVE") else 180
    patience = request.getfixturevalue("somewhere").patience if "somewhere" in request.fixturenames else 1
    signal.alarm(patience * (slow if request.node.get_closest_marker("slow") else 30))
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    made = getattr(item, "world", None)
    if report.failed and call.when == "call" and made is not None:
        commands, rules = made.report()
        report.sections += [("commands", commands), ("ruleset", rules)]
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if report.skipped and not _is_expected(report, parameters):
        report.outcome, report.longrepr = "failed", "an unexpected skip (vmtests/skips.txt): %s" % _reason(report)
    if call.when == "call" or report.skipped or report.failed:
        _note(item, report, parameters)


def _reason(report):
    return report.longrepr[2].removeprefix("Skipped: ")


def _is_expected(report, parameters):
    """Does skips.txt have it?"""
    lines = (pathlib.Path(__file__).parent / "skips.txt").read_text().splitlines()
    for kernels, backends, why in (line.split(None, 2) for line in lines if line and not line.startswith("#")):
        if all(fnmatch.fnmatch(text, pattern) for text, pattern in (
                (parameters.get("somewhere", "host"), kernels), (parameters.get("backend", ""), backends),
                (_reason(report), why))):
            return True
    return False


def _note(item, report, parameters):
    numbers = [n for mark in item.iter_markers("behaviour") for n in mark.args]
    kernel = parameters.get("somewhere", "host")
    where = item.world.place.kernel if hasattr(item, "world") else os.uname().release if kernel == "host" else ""
    outcomes[_name(item)] = {
        "behaviours": numbers, "backend": parameters.get("backend", ""), "outcome": report.outcome,
        "kernel": kernel, "release": where,
        **({"reason": _reason(report)} if report.skipped else {})}


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
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if record.get("version") != 2:
        record = {"version": 2, "tests": {}}
    record["tests"].update(outcomes)
    files = {path.name for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    seen = {name.split("::")[0] for name in known}
    record["tests"] = {k: v for k, v in sorted(record["tests"].items())
                       if k.split("::")[0] in files
                       and (k in known or k.split("::")[0] not in seen
                            or any(v[key] not in ran[key] for key in ran))}
    fresh = RECORD.with_suffix(".%d" % os.getpid())
    fresh.write_text(json.dumps(record, indent=1) + "\n")
    fresh.rename(RECORD)
