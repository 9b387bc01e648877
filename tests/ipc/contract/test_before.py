"""Nothing that programs and people rely on was changed by the new form of the code: a snapshot tells.

The snapshot in ``before/`` was taken from the last commit of the old layout: the schemas, the help
of every verb, the exit statuses, and docs/ipc.md. What is gone is only what no code ever produced;
what is new may only be added.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from rtctl.cli.verbs import parser
from rtvoiced import errors
from rtvoiced.ipc.contract.schema import schemas

BEFORE = Path(__file__).with_name("before")
PAGE = Path(__file__).parents[3] / "docs" / "ipc.md"
DEAD = {
    "connection": ("parked",),
    "device": ("fallback", "silent"),
    "source": ("local",),
    "applied": ("after_swap",),
}
"""Words that were in the schemas, and that no code produced."""
DEAD_WORDS = {word for words in DEAD.values() for word in words}


def snapshot(name: str) -> Any:
    return json.loads((BEFORE / name).read_text("utf-8"))


def without_dead_words(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_dead_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: without_dead_words(value) for key, value in schema.items()}
    if "enum" in made:
        made["enum"] = [word for word in made["enum"] if word not in DEAD_WORDS]
    return made


@pytest.mark.parametrize("name", snapshot("schemas.json"))
def test_schemas_are_the_same_but_for_dead_words(name: str) -> None:
    assert schemas()[name] == without_dead_words(snapshot("schemas.json")[name])


def helps() -> dict[str, str]:
    made = parser()
    (verbs,) = (each for each in made._actions if isinstance(each, argparse._SubParsersAction))
    return {"": made.format_help()} | {name: each.format_help() for name, each in verbs.choices.items()}


@pytest.mark.parametrize("verb", snapshot("help.json"))
def test_help_of_every_verb_is_the_same(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    before = snapshot("help.json")
    new = tuple(f"    {name} " for name in helps().keys() - before.keys())
    lines = [line for line in helps()[verb].splitlines() if verb or not line.startswith(new)]

    assert lines == before[verb].splitlines()


def test_exit_statuses_are_the_same() -> None:
    before = snapshot("exit_codes.json")
    names = {name: getattr(errors, name) for name in before["names"]}
    kinds = {name: getattr(errors, name).status for name in before["errors"]}

    assert {"names": names, "codes": errors.STATUS_OF_CODE, "errors": kinds} == before


def test_the_page_of_the_contract_still_says_all_that_it_said() -> None:
    said = (BEFORE / "ipc.md").read_text("utf-8").splitlines()
    says = set(PAGE.read_text("utf-8").splitlines())

    assert [line for line in said if line not in says] == []
