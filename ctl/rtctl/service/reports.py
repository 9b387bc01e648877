"""What is told of the service: that it answers, why it does not, and what its owner should know or do.

Every problem comes with its remedy. That the daemon answers counts only where
the pid is the service's: another daemon may have its directory.
"""

from __future__ import annotations

import argparse
import os
import stat
import time
from dataclasses import asdict
from typing import Any

from rtctl.cli.output import encoded, put
from rtctl.client.requests import DaemonRequests
from rtctl.service import key
from rtctl.service.program import program
from rtctl.service.steps import Write
from rtctl.service.supervisor import ServiceState, Supervisor, WantedService, words_of_exit
from rtvoiced import __version__
from rtvoiced.errors import (
    CONFIG,
    NO_PERMISSION,
    OK,
    TEMPORARY,
    UNAVAILABLE,
    AlreadyRunningError,
    CommandError,
    ConfigError,
    NotRunningError,
    PermissionRefusedError,
    RtvoiceError,
    ServiceError,
)

ANSWER_S = 20.0
"""How long a service that was just started may take to answer; it is ready before its server is."""
CONNECT_S = 5.0
"""How long to wait for more than "connecting", so that the report says something."""
POLL_S = 0.1
"""Between two looks whether the service answers."""
NO_CREDENTIAL = 243
"""systemd's exit status where LoadCredential= finds no file."""


def reported(service: Supervisor, options: argparse.Namespace) -> dict[str, Any]:
    """Return the status of the service once it answers; raises what says why it does not."""
    begun = time.monotonic()
    while True:
        answer, state = answer_of(service, options), service.state()
        waited = time.monotonic() - begun
        # Another daemon's answer says nothing of the service.
        if answer and answer["pid"] == state.pid:
            if answer["connection"]["status"] != "connecting" or waited > CONNECT_S:
                return answer
        elif state.given_up or waited > ANSWER_S:
            raise _ended(service, state)
        time.sleep(POLL_S)


def answer_of(service: Supervisor, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return what the daemon in the service's directory says of itself; None: there is none."""
    try:
        with DaemonRequests(service.directory, system=options.system) as daemon:
            return daemon.request("status").data
    except (NotRunningError, PermissionRefusedError, CommandError):
        return None


def _ended(service: Supervisor, state: ServiceState) -> Exception:
    """Return the error that says why the service does not answer."""
    status = state.exit_status or 0
    words = words_of_exit(status)
    how = f"ended with status {status}" if status else "does not answer"
    last = service.last_words()
    message = f"the service {how}: {words}" + (f"; its last line: {last}" if last else "")
    kinds: dict[int, type[RtvoiceError]] = {
        CONFIG: ConfigError,
        NO_CREDENTIAL: ConfigError,
        NO_PERMISSION: PermissionRefusedError,
        TEMPORARY: AlreadyRunningError,
    }
    return kinds.get(status, ServiceError)(message)


def unseen(service: Supervisor) -> list[str]:
    """Return what this shell has set and the service does not see."""
    seen = service.environ()
    return [
        f"{name} is set here, and the service does not see it: it belongs into {service.config}/config.toml"
        for name in sorted(os.environ)
        if name.startswith("RTVOICE_") and seen.get(name) != os.environ[name]
    ]


def status(service: Supervisor, options: argparse.Namespace) -> int:
    """Print how the service does; the exit status is 69 unless it runs and answers."""
    found, state, answer = service.installed(), service.state(), answer_of(service, options)
    told: dict[str, Any] = {
        "supervisor": service.name,
        "file": str(service.file) if found else None,
        "starts": found.program if found else None,
        "provider": found.provider if found else None,
        **asdict(state),
        "answers": answer is not None,
        "notes": [
            *(": ".join(each) for each in problems(service, state, answer)),
            *(service.notes() if found else ()),
            *unseen(service),
        ],
    }
    if options.json:
        put(encoded(told))
    elif not options.quiet:
        put("\n".join(_lines(told, answer)))
    return OK if found and answer and state.pid == answer["pid"] else UNAVAILABLE


def _lines(told: dict[str, Any], answer: dict[str, Any] | None) -> list[str]:
    if told["file"] is None:
        first = "not installed; rtctl service install does that"
    else:
        enabled = "starts by itself" if told["enabled"] else "does not start by itself"
        parts = [f"{told['supervisor']}: {told['active']}", enabled]
        parts += [f"pid {told['pid']}"] if told["pid"] else []
        parts += [f"{told['restarts']} restarts"] if told["restarts"] else []
        first = ", ".join(parts)
    rows = [("service", first)]
    if told["starts"]:
        rows.append(("starts", f"{told['starts']} --provider {told['provider']}"))
    if answer:
        rows.append(("daemon", f"rtvoiced {answer['version']} answers, pid {answer['pid']}"))
    else:
        rows.append(("daemon", "does not answer"))
    if told["status"]:
        rows.append(("says", told["status"]))
    return [f"{name:<9}{text}" for name, text in [*rows, *(("note", note) for note in told["notes"])]]


def problems(
    service: Supervisor, state: ServiceState, answer: dict[str, Any] | None
) -> list[tuple[str, str]]:
    """Return what its owner should mend, and how."""
    found = service.installed()
    told = []
    if found is not None:
        path, again = program(), "rtctl service install"
        if not os.access(found.program, os.X_OK):
            told.append((f"{found.program} is gone, by an upgrade perhaps", f"{again} finds the new one"))
        elif found.program != str(path):
            told.append((f"this rtctl goes with {path}", f"{again} has the service start that"))
        elif _is_old(service, WantedService(path, found.provider or "", None, service.is_hardened())):
            told.append(("its files are of another version", f"{again} writes them anew"))
        if state.given_up and state.exit_status:
            told.append((f"it ended with status {state.exit_status}", words_of_exit(state.exit_status)))
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in key.kept(service.keys)}
    told += [
        (f"{path} is open to others ({mode:04o})", f"chmod 600 {path}")
        for path, mode in modes.items()
        if mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if answer is not None and answer["version"] != __version__:
        told.append(
            (f"rtvoiced {answer['version']} runs, and this is rtctl {__version__}", "rtctl service restart")
        )
    if found is not None and answer is not None and answer["pid"] != state.pid:
        told.append(
            (f"the daemon that answers is not the service's (pid {answer['pid']})", "rtctl stop ends it")
        )
    return told


def _is_old(service: Supervisor, wanted: WantedService) -> bool:
    """Return whether a file that is installed is not what this version would write."""
    for step in service.writes(wanted):
        if isinstance(step, Write):
            try:
                if step.path.read_text("utf-8") != step.text:
                    return True
            except OSError:
                return True
    return False
