"""Makes the diagram of the conversation's phases in docs/architecture.md, of the table `phases.ALLOWED`."""

from __future__ import annotations

from pathlib import Path

from generate.texts import between
from rtvoiced.conversation.phases import ALLOWED, Idle, Phase
from rtvoiced.ipc.contract.schema import one_line

PAGE = "docs/architecture.md"
COMMENT = ("<!-- ", " -->")


def files(root: Path) -> dict[str, str]:
    """Return the text of the page by its path."""
    page = (root / PAGE).read_text("utf-8")
    return {PAGE: between(page, "state", f"{diagram()}\n{table()}", COMMENT)}


def diagram() -> str:
    """Return the phases and what may follow what, as Mermaid draws it; not which may follow themselves."""
    edges = [
        f"    {before.__name__} --> {after.__name__}"
        for before in ALLOWED
        for after in _in_order(ALLOWED[before])
        if after is not before
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {Idle.__name__}", *edges, "```", ""])


def table() -> str:
    """Return the phases, what is true in each, and what may follow it."""
    rows = [
        f"| `{phase.__name__}` | `{phase.word}` | {one_line(phase.__doc__ or '')} | {_followers(phase)} |"
        for phase in ALLOWED
    ]
    head = ("| phase | subscribers see | what is true | what may follow |", "|---|---|---|---|")
    return "\n".join([*head, *rows, ""])


def _followers(phase: type[Phase]) -> str:
    return ", ".join(
        f"{after.__name__} (another)" if after is phase else after.__name__
        for after in _in_order(ALLOWED[phase])
    )


def _in_order(phases: frozenset[type[Phase]]) -> list[type[Phase]]:
    return [each for each in ALLOWED if each in phases]
