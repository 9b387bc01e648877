"""The manual pages and docs/ipc.md name all that there is, and nothing that there is not."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from rtctl.cli import verbs
from rtvoiced import __main__ as rtvoiced
from rtvoiced.errors import STATUS_OF_CODE
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.events import EVENTS
from rtvoiced.ipc.contract.replies import REPLIES
from rtvoiced.settings.schema import known_keys, live_keys
from rtvoiced_server import serve

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("rtvoiced.1", "rtctl.1", "rtvoice-ipc.7")
CONTRACT = (DOCS / "ipc.md").read_text("utf-8")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def page(name: str) -> str:
    """Return a manual page as people read it, in one line."""
    mandoc = shutil.which("mandoc")
    assert mandoc, "the tests need mandoc: make test installs it"
    source = str(DOCS / "man" / name)
    made = subprocess.run(
        [mandoc, "-T", "ascii", "-O", "width=1000", source], capture_output=True, text=True, check=True
    )
    # Bold and underlined letters are struck over: N, backspace, N.
    return " ".join(re.sub(r".\x08", "", made.stdout).split())


def flags(parser: argparse.ArgumentParser) -> set[str]:
    return {name for action in parser._actions for name in action.option_strings}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return rtctl's commands."""
    (found,) = [each for each in verbs.parser()._actions if each.dest == "command"]
    assert isinstance(found.choices, dict)
    return dict(found.choices)


def row(section: str, name: str) -> str:
    """Return the one row of a table of docs/ipc.md that begins with *name*."""
    (text,) = re.findall(rf"^##+ {section}\n(.*?)(?=^##|\Z)", CONTRACT, re.MULTILINE | re.DOTALL)
    (found,) = re.findall(rf"^\| `{re.escape(name)}`.*? \|(.*)\|$", text, re.MULTILINE)
    return str(found)


def named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", text))


@pytest.mark.parametrize("name", PAGES)
def test_manual_page_has_no_mistake_in_its_markup(name: str) -> None:
    checked = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", DOCS / "man" / name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout + checked.stderr == ""


def test_rtctl_1_has_every_verb_and_flag_and_no_other() -> None:
    source = (DOCS / "man" / "rtctl.1").read_text("utf-8")
    told = set(re.findall(r"^\.It Cm ([a-z-]+)", source, re.MULTILINE))
    wanted = flags(verbs.parser()).union(*map(flags, commands().values()))
    found = set(OPTION.findall(page("rtctl.1")))

    actions = " ".join(re.findall(r"^\.It Ic (.*)$", source, re.MULTILINE)).replace(",", " ").split()

    assert told == set(commands())
    assert set(actions) == set(verbs.SERVICE_ACTIONS)
    assert wanted - found == set()
    assert {each for each in found if each.startswith("--")} - wanted == set()


def test_rtvoiced_1_has_every_flag_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        serve.arguments(["--help"])
    wanted = flags(rtvoiced.parser()).union(OPTION.findall(capsys.readouterr().out))
    found = set(OPTION.findall(page("rtvoiced.1")))

    assert wanted - found == set()
    assert {each for each in found if each.startswith("--")} - wanted == set()


def test_rtvoiced_1_has_every_key_of_the_configuration_and_says_which_change_live() -> None:
    source = (DOCS / "man" / "rtvoiced.1").read_text("utf-8")
    told = re.findall(r"^\.It Li ([a-z]+\.[a-z_]+)( \*)?$", source, re.MULTILINE)

    assert [key for key, _ in told] == list(known_keys())
    assert {key for key, star in told if star} == live_keys()


def test_rtvoice_ipc_7_has_every_event_and_command_with_its_fields() -> None:
    parts = page("rtvoice-ipc.7").partition("The commands, with their args:")
    for text, kinds in ((parts[0], EVENTS), (parts[2], COMMANDS)):
        for name, kind in kinds.items():
            found = re.search(rf"(?:^|[.:]) {name} (?:(\([^)]*\)) )?[A-Z0-9]", text)
            assert found, name
            told = re.sub(r" = [\w.| ]+", "", found[1] or "()")

            assert re.findall(r"\w+", told) == [each.name for each in fields(kind)]
    assert [code for code in STATUS_OF_CODE if code not in parts[2]] == []


@pytest.mark.parametrize("name", EVENTS)
def test_the_contract_has_every_event_with_its_fields(name: str) -> None:
    assert {each.name for each in fields(EVENTS[name])} - named(row("Events", name)) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_contract_has_every_command_with_its_arguments_and_data(name: str) -> None:
    arguments, _, data = row("Commands", name).partition(" | ")

    assert {each.name for each in fields(COMMANDS[name])} - named(arguments) == set()
    if name not in ("status", "snapshot", "stats"):  # Those are shown as they are.
        assert {each.name for each in fields(REPLIES[name])} - named(data) == set()


@pytest.mark.parametrize("code", STATUS_OF_CODE)
def test_the_contract_has_every_error_with_its_exit_status(code: str) -> None:
    assert int(row("Errors", code).split("|")[-1]) == STATUS_OF_CODE[code]
