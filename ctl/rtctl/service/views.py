"""``rtctl doctor``, ``config`` and ``logs``: they look, and change nothing.

rtvoiced does the work, with the environment and the flags of the service
where one is installed or meant, else with those of this shell.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rtctl.cli.output import colored, encoded, put, say
from rtctl.cli.show import GREEN, RED, YELLOW, painted, plain
from rtctl.service import reports
from rtctl.service.actions import connected
from rtctl.service.program import asked, program
from rtctl.service.supervisor import Supervisor
from rtvoiced.errors import (
    NO,
    OK,
    ConfigError,
    NotRunningError,
    PermissionRefusedError,
    RtvoiceError,
    ServiceError,
)

COLORS = {"ok": GREEN, "warning": YELLOW, "failure": RED}
NAME = 15
"""Columns of the names."""

Finding = dict[str, Any]


class Connect(Protocol):
    """What finds the service manager."""

    def __call__(self, *, system: bool) -> Supervisor:
        """Return it; raises `ServiceError` where it does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class ServicePlace:
    """Where rtvoiced is asked: what it is, and the environment and the flags that it gets."""

    program: Path
    environ: Mapping[str, str]
    words: Sequence[str] = ()

    def asked(self, *words: str) -> dict[str, Any]:
        """Return the JSON that it prints with *words* too."""
        return asked(self.program, self.environ, *self.words, *words)


def of_service(service: Supervisor) -> ServicePlace:
    """Return the place of the service; raises `NotRunningError` where none is installed."""
    found = service.installed()
    if found is None:
        raise NotRunningError(f"no service is installed ({service.file}); rtctl service install does that")
    return ServicePlace(Path(found.program), service.environ(), found.words)


def of_shell(options: argparse.Namespace) -> ServicePlace:
    """Return the place of a daemon that were started here and now."""
    words = ("--runtime-dir", options.runtime_dir) if options.runtime_dir is not None else ()
    return ServicePlace(program(), os.environ, words)


# ---------------------------------------------------------------------------------- config


def config(options: argparse.Namespace, connect: Connect = connected) -> int:
    """Print what rtvoiced makes of its configuration; what may be a key is masked by it."""
    in_service = options.service or options.system
    _needs_root(options)
    place = of_service(connect(system=options.system)) if in_service else of_shell(options)
    told = place.asked("--check", "--quick", "--json")
    if options.path:
        say(encoded({"path": told["file"]}) if options.json else told["file"], options)
        return OK
    if not told.get("ok"):
        raise ConfigError(str(told.get("error")))
    if options.json:
        shown = {key: told[key] for key in ("file", "provider", "state_dir", "settings")}
        say(encoded(shown), options)
        return OK
    lines = [f"# {told['file']}" + ("" if Path(told["file"]).exists() else " (not there)")]
    for key, each in told["settings"].items():
        lines.append(plain(f"{key:<24}{_value(each['value'])}  [{each['origin']}]"))
    say("\n".join(lines), options)
    return OK


def _value(value: object) -> str:
    if value in (None, {}, ""):
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


# ------------------------------------------------------------------------------------ logs


def logs(options: argparse.Namespace, connect: Connect = connected) -> int:
    """Become the command that prints the service's log."""
    service = connect(system=options.system)
    of_service(service)
    command = service.log_command(follow=options.follow, lines=options.lines, as_json=options.json)
    sys.stdout.flush()
    try:
        os.execvp(command[0], list(command))  # noqa: S606
    except OSError as error:
        raise ServiceError(f"cannot run {command[0]}: {error.strerror}") from None


# ---------------------------------------------------------------------------------- doctor


def doctor(options: argparse.Namespace, connect: Connect = connected) -> int:
    """Print what was found, the service first; the status is 0 only where a conversation is possible."""
    service, told = _service(options, connect)
    place = of_service(service) if service is not None else of_shell(options)
    sound = ("--sound",) if options.sound else ()
    try:
        told += place.asked("--doctor", "--json", *sound)["findings"]
    except RtvoiceError as error:
        told.append(_finding("rtvoiced", "failure", str(error), "install rtvoice anew"))
    works = all(each["verdict"] != "failure" for each in told)
    if options.json:
        put(encoded({"ok": works, "findings": told}))
    else:
        say(_screen(told, colored(options)), options)
    return OK if works else NO


def _service(options: argparse.Namespace, connect: Connect) -> tuple[Supervisor | None, list[Finding]]:
    """Return the service that is installed and is meant, and what was found of it."""
    if options.runtime_dir is not None:
        return None, []
    _needs_root(options)
    try:
        service = connect(system=options.system)
        if service.installed() is None:
            remedy = "none is needed; rtctl service install has it start at login"
            return None, [_finding("service", "ok", f"none is installed: {remedy}")]
        return service, _found(service, options)
    except RtvoiceError as error:
        if options.system:
            raise
        return None, [_finding("service", "warning", str(error), "rtvoiced in a terminal needs none")]


def _needs_root(options: argparse.Namespace) -> None:
    """Raise `PermissionRefusedError` where the machine's service is meant: its key is root's to see."""
    if options.system and os.getuid() != 0:
        raise PermissionRefusedError("only root can see the machine's service whole: run this with sudo")


def _found(service: Supervisor, options: argparse.Namespace) -> list[Finding]:
    state, answer = service.state(), reports.answer_of(service, options)
    installed = service.installed()
    lives = state.active in ("active", "activating")
    text = f"{service.name}: {state.active}" + (f", pid {state.pid}" if state.pid else "")
    if lives and state.enabled:
        found = [_finding("service", "ok", text)]
    elif lives:
        found = [_finding("service", "warning", f"{text}, not enabled", "rtctl service install enables it")]
    else:
        found = [_finding("service", "warning", text, "rtctl service start")]
    gone = installed is not None and not os.access(installed.program, os.X_OK)
    dead = gone or (state.given_up and bool(state.exit_status))
    for problem, remedy in reports.problems(service, state, answer):
        found.append(_finding("service", "failure" if dead else "warning", problem, remedy))
    return found


def _finding(check: str, verdict: str, text: str, remedy: str | None = None) -> Finding:
    return {"check": check, "verdict": verdict, "text": text, "remedy": remedy}


def _screen(found: Sequence[Finding], color: bool) -> str:
    lines = []
    for each in found:
        verdict = painted(f"{plain(each['verdict']):<9}", COLORS.get(each["verdict"], ""), color)
        lines.append(f"{verdict}{plain(each['check']):<{NAME}}{plain(each['text'])}")
        if each["remedy"]:
            lines.append(f"{'':<{9 + NAME}}→ {plain(each['remedy'])}")
    return "\n".join(lines)
