"""A verb that is a command of the daemon: how it is typed, and the request that comes of it.

`rtctl.cli.generated_verbs` has one for each, made of the declarations in
`rtvoiced.ipc.contract.commands`. Importing those would cost ``rtctl mute`` its
quick start; plain tuples cost nothing.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Names and keywords of argparse's `add_argument`."""


class CommandVerb(NamedTuple):
    """One verb."""

    command: str
    help: str
    arguments: tuple[Argument, ...] = ()
    sends: tuple[tuple[str, Any], ...] = ()
    """The arguments of the request that can be typed, each with the default that need not be sent."""
    args: tuple[tuple[str, Any], ...] = ()
    """Arguments that this verb always sends."""

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Give *parser* the arguments of this verb."""
        for names, kind in self.arguments:
            parser.add_argument(*names, **kind)

    def request(self, options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
        """Return the command and its args as the daemon takes them."""
        args = dict(self.args)
        for name, default in self.sends:
            value = getattr(options, name)
            if isinstance(value, dict):  # One word that gives several arguments.
                args |= value
            elif isinstance(value, list):
                args[name] = " ".join(value)
            elif value != default:
                args[name] = value
        return self.command, args
