"""docs/server.md is held against the code: its switches, its programs, and what it says is tested."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtvoiced_server import serve
from rtvoiced_server.net.options import Quirk
from support.serving import serving
from support.snippets import PAGE, printed, snippets

TEXT = PAGE.read_text("utf-8")
ROW = re.compile(r"^\| (?P<what>[^|]+?) \| (?P<tests>[^|]+?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+/test_\w+\.py)::(test_\w+)`")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as (_, address):
        yield address


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_page_has_every_switch_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        serve.arguments(["--help"])
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help"}

    assert set(re.findall(r"`(--[a-z-]+)", section("Switches"))) == flags


def test_the_page_has_every_quirk_and_no_other() -> None:
    named = re.findall(r"^\| `([a-z][a-z-]*)` \|", section("Switches"), re.MULTILINE)

    assert sorted(named) == sorted(Quirk)


@pytest.mark.parametrize("title", [title for title, each in snippets().items() if each.language == "python"])
def test_a_program_of_the_page_is_python(title: str) -> None:
    compile(snippets()[title].code, title, "exec")


@pytest.mark.process
def test_the_program_for_openai_python_prints_what_the_page_says(url: str) -> None:
    snippet = snippets()["openai-python"]

    assert printed((sys.executable, "-c"), snippet, url, os.environ | {"NO_PROXY": "*"}) == snippet.output


def rows() -> list[tuple[str, str]]:
    """Return what the table of the checklist says, and by what it is tested."""
    return [row for row in ROW.findall(section("What is held by tests")) if set(row[0]) != {"-"}][1:]


def test_every_behaviour_has_a_test_or_a_reason() -> None:
    untested = [what for what, tests in rows() if not TEST.search(tests) and "no test: " not in tests]

    assert untested == []


def test_every_test_that_the_page_names_is_there() -> None:
    named = {each for _, tests in rows() for each in TEST.findall(tests)}
    here = Path(__file__).parents[1]
    found = {
        (file, each.name)
        for file in {file for file, _ in named}
        for each in ast.parse((here / file).read_text("utf-8")).body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert named - found == set()
