"""One name for one thing: no two classes of the project share a name, but for peers of a protocol."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).parents[2]
PEERS = {
    # The Realtime protocol's events, and those of the IPC that tell of the same.
    "ResponseCreated": {"rtvoiced.realtime.events.server", "rtvoiced.ipc.contract.events"},
    "ResponseDone": {"rtvoiced.realtime.events.server", "rtvoiced.ipc.contract.events"},
    "SpeechStarted": {"rtvoiced.realtime.events.server", "rtvoiced.ipc.contract.events"},
    "SpeechStopped": {"rtvoiced.realtime.events.server", "rtvoiced.ipc.contract.events"},
    # A command of the IPC, the event that tells of it, and what a client makes of either.
    "Interrupt": {"rtvoiced.ipc.contract.commands.voice", "rtvoiced.ipc.contract.events"},
    "Snapshot": {"rtvoiced.ipc.contract.commands.state", "rtctl.client.follow"},
}
"""Peers of a protocol, by the modules that may have them."""


def classes() -> dict[str, set[str]]:
    """Return the modules of every class of the packages, by its name; private ones are their module's own."""
    found: dict[str, set[str]] = defaultdict(set)
    for root in ("daemon", "ctl"):
        for path in sorted((TOP / root).rglob("*.py")):
            module = ".".join(path.relative_to(TOP / root).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].add(module)
    return found


def test_no_two_classes_share_a_name_but_protocol_peers() -> None:
    shared = {name: modules for name, modules in classes().items() if len(modules) > 1}

    assert {name: modules for name, modules in shared.items() if PEERS.get(name) != modules} == {}


def test_every_peer_is_there() -> None:
    assert {name: classes().get(name) for name in PEERS} == PEERS
