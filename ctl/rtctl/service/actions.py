"""``rtctl service ACTION``: what each action does, and what is printed of it.

Each action asks the service manager (`rtctl.service.supervisor`) for its steps
and does them one by one, each named before it is done; ``--dry-run`` only names
them. An action that starts the service ends when the daemon answers, or with
the reason why it does not.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from rtctl.cli.output import colored, encoded, put
from rtctl.service import key, reports
from rtctl.service.program import checked, program, refuse_home
from rtctl.service.steps import Step, Write, perform
from rtctl.service.supervisor import Supervisor, WantedService
from rtvoiced.errors import OK, ConfigError, NotRunningError, PermissionRefusedError

CHANGES = ("install", "uninstall", "start", "stop", "restart")


def objection(options: argparse.Namespace) -> str | None:
    """Return what is wrong with the command line; None: nothing."""
    installing = options.action in ("install", "print")
    for flag, given in (("--provider", options.provider), ("--hardened", options.hardened)):
        if given and not installing:
            return f"{flag} goes with install and print"
    if options.new_key and options.action != "install":
        return "--new-key goes with install"
    if options.dry_run and options.action not in CHANGES:
        return f"{options.action} changes nothing: it goes without --dry-run"
    if options.hardened and options.system:
        return "--hardened is for the user's service: the machine's is hardened anyway"
    return None


def run(options: argparse.Namespace) -> int:
    """Do one action with the service manager of this machine; returns the exit status."""
    if options.action == "print":
        return _print(_unconnected(system=options.system), options)
    service = connected(system=options.system)
    # A dry run as well: without a look at root's keys it would tell half.
    if options.system and options.action in CHANGES and os.getuid() != 0:
        raise PermissionRefusedError("only root may change the machine's service: run this with sudo")
    return act(service, options)


def act(service: Supervisor, options: argparse.Namespace) -> int:
    """Do one action with *service*; returns the exit status."""
    match options.action:
        case "status":
            return reports.status(service, options)
        case "install":
            return _done(service.install(_wanted(service, options)), service, options, starts=True)
        case "uninstall":
            return _uninstall(service, options)
    if service.installed() is None:
        raise NotRunningError(f"no service is installed ({service.file}); rtctl service install does that")
    match options.action:
        case "stop":
            return _done(service.stop(), service, options, starts=False)
        case "start":
            return _done(service.start(), service, options, starts=True)
        case _:
            return _done(service.restart(), service, options, starts=True)


def connected(*, system: bool) -> Supervisor:
    """Return the service manager of this machine; raises `ServiceError` where it does not answer."""
    if sys.platform == "darwin":
        from rtctl.service import launchd

        return launchd.connect(os.environ, system=system)
    from rtctl.service import systemd

    return systemd.connect(os.environ, system=system)


# ---------------------------------------------------------------------------------- install


def _wanted(service: Supervisor, options: argparse.Namespace) -> WantedService:
    """Return what is to be installed; asks for a key where one is needed."""
    path = program()
    if options.system:
        refuse_home(path)
    found = service.installed()
    provider = options.provider or (found.provider if found else None) or _chosen()
    hardened = options.hardened or service.is_hardened()
    return WantedService(path, provider, _key(service, options, provider), hardened)


def _chosen() -> str:
    """Return the provider that rtvoiced would use if it were started here and now."""
    found = checked(program(), os.environ)
    if not found.get("ok") and found.get("missing_key") is None:
        raise ConfigError(str(found.get("error")))
    return str(found["provider"]["name"] if found.get("ok") else found["missing_key"])


def _key(service: Supervisor, options: argparse.Namespace, provider: str) -> str | None:
    """Return the key that the service still lacks, or None; refuses what it could not start with."""
    name = key.file_name(provider)
    environ = service.environ()
    keeps = service.has_key(name) and not options.new_key
    if not keeps:
        # One that is to be replaced may be none at all, an empty file: that is no reason to refuse.
        environ.pop("CREDENTIALS_DIRECTORY", None)
    words = service.key_words(name) if keeps else ()
    found = checked(program(), environ, "--provider", provider, *words)
    lacks = found.get("missing_key") is not None
    if not found.get("ok") and not lacks:
        raise ConfigError(f"the service would not start: {found.get('error')}")
    if options.new_key and not lacks and found["provider"]["key_from"] is None:
        raise ConfigError(f"provider {provider} needs no key: --new-key has nothing to replace")
    if not lacks and not options.new_key:
        return None
    return "(asked for)" if options.dry_run else key.ask(provider, os.environ)


def _print(service: Supervisor, options: argparse.Namespace) -> int:
    """Print the files that `install` would write, but for the key's."""
    provider = options.provider or _chosen()
    wanted = WantedService(program(), provider, None, options.hardened)
    written = {str(step.path): step.text for step in service.writes(wanted) if isinstance(step, Write)}
    if options.json:
        put(encoded({"files": written}))
    else:
        put("\n".join(f"# {path}\n{text}" for path, text in written.items()).rstrip("\n"))
    return OK


def _unconnected(*, system: bool) -> Supervisor:
    if sys.platform == "darwin":
        from rtctl.service import launchd

        return launchd.connect(os.environ, system=system)
    from rtctl.service import systemd

    return systemd.unconnected(os.environ, system=system)


def _uninstall(service: Supervisor, options: argparse.Namespace) -> int:
    answers = reports.answer_of(service, options)
    pid = service.state().pid
    steps = service.uninstall(others=answers is not None and answers["pid"] != pid)
    if not steps:
        raise NotRunningError("no service of rtctl's is installed")
    _do(steps, options, service)
    kept = [path for path in (service.config,) if path.exists()]
    notes = [f"kept: {path}" for path in kept]
    if options.json:
        put(encoded({"ok": True, "steps": [str(step) for step in steps], "notes": notes}))
    elif not options.quiet and not options.dry_run:
        for note in notes:
            put(note)
    return OK


# ------------------------------------------------------------------------------ every action


def _do(steps: Sequence[Step], options: argparse.Namespace, service: Supervisor) -> None:
    """Do *steps*, each told before it is done; with ``--dry-run`` they are only told."""
    for step in steps:
        if not options.json and not options.quiet:
            put(str(step))
        if not options.dry_run:
            perform(step, service.run)


def _done(steps: Sequence[Step], service: Supervisor, options: argparse.Namespace, *, starts: bool) -> int:
    """Do *steps*; where the service *starts*, wait until it answers, and report."""
    _do(steps, options, service)
    told: dict[str, Any] = {"ok": True, "steps": [str(step) for step in steps]}
    if starts and not options.dry_run:
        told |= {
            "status": reports.reported(service, options),
            "notes": [*service.notes(), *reports.unseen(service)],
        }
    if options.json:
        put(encoded(told))
    elif starts and not options.dry_run and not options.quiet:
        from rtctl.cli import show

        put(show.status_screen(told["status"], time.time(), colored(options)))
        for note in told["notes"]:
            put(note)
    return OK
