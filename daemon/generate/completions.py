"""Makes the shells' completion files of rtctl, by shtab (a package of the developers, not of the users)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import shtab

from rtctl.cli.event_verbs import FIELDS
from rtctl.cli.verbs import SHELLS, parser
from rtvoiced.ipc.contract.events import EVENTS, State
from rtvoiced.ipc.contract.schema import schemas
from rtvoiced.settings.schema import known_keys
from rtvoiced.vocabulary import PhaseWord, words, words_of

DIRECTORY = "ctl/rtctl/cli/completions"
FILES = {"bash": "rtctl.bash", "zsh": "_rtctl", "fish": "rtctl.fish"}


def files(root: Path) -> dict[str, str]:
    """Return the texts of the files by their paths."""
    return {f"{DIRECTORY}/{FILES[shell]}": completions(shell) for shell in SHELLS}


def completions(shell: str) -> str:
    """Return the completions of one shell: the parser's words, and names that the parser does not know."""
    made = parser()
    (verbs,) = (action for action in made._actions if action.dest == "command")
    assert isinstance(verbs.choices, dict)
    known = {
        ("events", "names"): list(EVENTS),
        ("wait", "conditions"): [*words(PhaseWord), *conditions()],
        ("get", "key"): list(known_keys()),
        ("set", "key"): list(known_keys()),
        ("schema", "message"): list(schemas()),
    }
    for (verb, dest), choices in known.items():
        (action,) = (each for each in verbs.choices[verb]._actions if each.dest == dest)
        action.choices = choices
    # The last line carries no trailing blanks: editors and git would complain.
    return "\n".join(line.rstrip() for line in shtab.complete(made, shell).splitlines()) + "\n"


def conditions() -> Iterator[str]:
    """Yield what ``rtctl wait`` can wait for, as ``FIELD=WORD``."""
    for field in FIELDS:
        known = ("true", "false") if field in ("muted", "push_to_talk") else words_of(State, field)
        yield from (f"{field}={word}" for word in known)
