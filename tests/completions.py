"""Makes the shells' completion files of rtctl: ``python tests/completions.py`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import shtab

import rtctl
from rtctl.cli.following import FIELDS
from rtctl.cli.verbs import SHELLS, parser
from rtvoiced.ipc.contract.events import EVENTS, State
from rtvoiced.ipc.contract.schema import schemas
from rtvoiced.settings.schema import known_keys
from rtvoiced.vocabulary import PhaseWord, words, words_of

DIRECTORY = Path(rtctl.__file__).parent / "cli" / "completions"
FILES = {"bash": "rtctl.bash", "zsh": "_rtctl", "fish": "rtctl.fish"}


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {FILES[shell]: generated(shell) for shell in SHELLS}


def generated(shell: str) -> str:
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
    for field in FIELDS:
        known = ("true", "false") if field in ("muted", "push_to_talk") else words_of(State, field)
        yield from (f"{field}={word}" for word in known)


if __name__ == "__main__":
    for name, text in files().items():
        (DIRECTORY / name).write_text(text, "utf-8")
