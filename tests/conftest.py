"""What holds for every test: its marks, its time limit, how its children take a Ctrl-C, and what is told.

A test is marked by the folder it stands in (`MARKS`), or by itself where only some of a folder start our
programs: a test that starts a Python and is not marked ``process`` fails, so that ``make quick`` stays quick.
No test waits for ever. pytest-timeout ends it after the `timeout` of pyproject.toml; where it does not end
then either, because a child or a thread of it hangs, `Watch` ends the process that runs it.

    pytest --cpu 20      also tells which 20 files cost most CPU time, children included
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from support import examples

HERE = Path(__file__).parent
MARKS = {"daemon": "process", "device": "device", "soak": "soak"}
"""By folder."""
GRACE_S = 30.0
"""How long a test may take to end after its time limit has ended it."""

examples.register()


# ------------------------------------------------------------------------------------------------ marks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if folder in MARKS:
            item.add_marker(MARKS[folder])


class Started:
    """Whether a test that is not marked so has started one of our programs."""

    def __init__(self) -> None:
        self.allowed = True
        self.by_mistake: list[str] = []
        self._popen = subprocess.Popen.__init__

    def install(self) -> None:
        """Look at every process that is started from now on; asyncio starts them the same way."""
        popen = self._popen

        def begin(process: Any, args: Any, *more: Any, **options: Any) -> None:
            program = args if isinstance(args, str | bytes | os.PathLike) else next(iter(args))
            if not self.allowed and Path(os.fsdecode(program)).name.startswith(("python", "rt")):
                self.by_mistake.append(f"{args}")
            popen(process, args, *more, **options)

        subprocess.Popen.__init__ = begin  # type: ignore[assignment, method-assign]

    def check(self) -> None:
        """Fail the test that started something."""
        if self.by_mistake:
            started, self.by_mistake = self.by_mistake, []
            pytest.fail(f"mark this test `process`: it starts {started}", pytrace=False)


STARTED = Started()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    result = yield
    STARTED.check()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    result = yield
    STARTED.check()
    return result


# ------------------------------------------------------------------------------------------- time limits


class Watch:
    """Ends the process when a test does not end, not even by its time limit: pytest-xdist starts another."""

    def __init__(self) -> None:
        self._until = float("inf")
        self._stderr = os.dup(2)
        threading.Thread(target=self._look, daemon=True).start()

    def begin(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def end(self) -> None:
        self._until = float("inf")

    def _look(self) -> None:
        while time.monotonic() < self._until:
            time.sleep(1)
        os.write(self._stderr, b"\na test did not end, not even by its time limit:\n")
        faulthandler.dump_traceback(self._stderr)
        os._exit(3)


WATCH: list[Watch] = []


def limit_s(item: pytest.Item) -> float:
    """Return the time limit of a test: its own mark's, or the one of all tests."""
    mark = item.get_closest_marker("timeout")
    given = mark.args[0] if mark and mark.args else item.config.getini("timeout")
    return float(given or 0)


# ---------------------------------------------------------------------------------------- what tests cost


class Cost:
    """CPU seconds of this process and of its children that have ended, by file."""

    def __init__(self) -> None:
        self.by_file: Counter[str] = Counter()

    @staticmethod
    def now() -> float:
        used = os.times()
        return used.user + used.system + used.children_user + used.children_system


COST = Cost()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cpu", type=int, default=0, metavar="N", help="tell the N files that cost most CPU time"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell without job control starts what runs in the background with SIGINT ignored, and what is ignored
    # stays so in children: no rtctl of a test would end by it. A handler of ours does not pass on to them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    STARTED.install()
    WATCH.append(Watch())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    STARTED.allowed = any(item.get_closest_marker(each) for each in ("process", "device", "soak"))
    STARTED.by_mistake.clear()
    before = Cost.now()
    WATCH[0].begin(limit_s(item) + GRACE_S)
    try:
        return (yield)
    finally:
        WATCH[0].end()
        COST.by_file[str(item.path.relative_to(HERE))] += Cost.now() - before  # type: ignore[assignment]


def pytest_enter_pdb() -> None:
    """Let somebody look as long as they like."""
    WATCH[0].end()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give what this worker's tests cost to the process that started it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["cost"], output["all"] = dict(COST.by_file), Cost.now()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    COST.by_file.update(getattr(node, "workeroutput", {}).get("cost", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was recorded by `record_property`, also of those that passed, and what was asked for."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{name}: {value}")
    most = terminalreporter.config.getoption("--cpu")
    if most:
        terminalreporter.write_line(
            f"{sum(COST.by_file.values()):.0f} s of CPU time in tests, children included"
        )
        for name, seconds in COST.by_file.most_common(most):
            terminalreporter.write_line(f"{seconds:7.1f} s  {name}")
