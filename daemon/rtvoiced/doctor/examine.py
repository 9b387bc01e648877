"""All checks of the doctor in order; what stands on something that is broken is left out.

Configuration, provider and key; the runtime directory and the daemon in it; the state directory; the sound;
the server. `run` prints what was found, for people or for programs; ``rtctl doctor`` shows the same.
Nothing is made, locked or changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from rtvoiced.doctor import place, server
from rtvoiced.doctor.findings import Finding, failure, ok, report, screen, works
from rtvoiced.errors import NO, OK, MissingKeyError, RtvoiceError
from rtvoiced.host import logs, paths
from rtvoiced.host.terminal import print_report
from rtvoiced.realtime.providers import Provider, choose
from rtvoiced.settings.schema import Settings


def run(
    load: Callable[[], Settings],
    environ: Mapping[str, str],
    runtime_dir: str | None,
    *,
    system: bool,
    sound: bool,
    as_json: bool,
) -> int:
    """Look at everything and print what was found; return 0 only where a conversation is possible.

    *load* reads the configuration, and may raise RtvoiceError; *sound*: play a chime, too.
    """
    found = examine(load, environ, runtime_dir, system=system, sound=sound)
    print_report(json.dumps(report(found), indent=2) if as_json else screen(found))
    return OK if works(found) else NO


def examine(
    load: Callable[[], Settings],
    environ: Mapping[str, str],
    runtime_dir: str | None,
    *,
    system: bool,
    sound: bool,
) -> list[Finding]:
    """Return what was found; *sound*: play a chime, too."""
    # What is wrong is found and told. What the link and the server log would stand between the lines.
    logs.configure("critical")
    config, provider, found = _configured(load, environ)
    try:
        directory = paths.runtime_dir(runtime_dir, environ, daemon=True, system=system)
    except RtvoiceError as error:
        return [*found, failure("runtime dir", str(error), "choose a --runtime-dir")]
    here = place.look(directory, system=system)
    found += [*here.findings, _state(Path(paths.state_dir(environ)))]
    if config is not None:
        from rtvoiced.doctor import sound as devices

        found += devices.look(config, here.status, directory, chime=sound)
    if config is not None and provider is not None:
        found += server.look(config, provider)
    return found


def _configured(
    load: Callable[[], Settings], environ: Mapping[str, str]
) -> tuple[Settings | None, Provider | None, list[Finding]]:
    """Return the settings and the provider where they can be used, and what was found of them."""
    try:
        config = load()
    except RtvoiceError as error:
        return None, None, [failure("configuration", str(error), "mend what it names; rtctl config --path")]
    origins = {
        origin for origin in config.origins.values() if not origin.startswith(("flag ", "environment "))
    }
    found = [ok("configuration", ", ".join(sorted(origins)) or "no file: the defaults")]
    try:
        provider = choose(config, environ)
    except MissingKeyError as error:
        remedy = f"rtctl service install --provider {error.provider} asks for it"
        return config, None, [*found, failure("key", str(error), remedy)]
    except RtvoiceError as error:
        return config, None, [*found, failure("provider", str(error), "mend what it names")]
    found.append(ok("provider", f"{provider.name} ({provider.chosen_by}), {provider.model}"))
    found.append(ok("key", f"from {provider.key_from}" if provider.key_from else "none needed"))
    return config, provider, found


def _state(directory: Path) -> Finding:
    """Return whether a mute can be kept over a restart."""
    if problem := place.obstacle(directory):
        text = f"{directory} can't be written, and a mute is lost at a restart: {problem}"
        return failure("state", text, "make that directory writable for whom rtvoiced runs as")
    return ok("state", str(directory))
