"""Where a closed vocabulary exists, no field of a message or a setting is a free text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_origin

import rtctl
import rtvoiced
from rtctl.cli import generated_verbs
from rtvoiced import vocabulary
from rtvoiced.vocabulary import ProviderName, words

ROOTS = {name: Path(str(each.__file__)).parent for name, each in (("rtvoiced", rtvoiced), ("rtctl", rtctl))}
CLOSED = {
    *("direction", "status", "cause", "policy", "mode", "role", "source", "phase", "applied", "provider"),
    *("state", "detection", "eagerness", "auth", "dialect", "action", "conversation", "connection"),
    *("interruption", "fallback", "echo"),
}
"""Names of fields that have a vocabulary, in whatever class they stand."""
FREE_TEXT = {"str", "str | None"}
FREE = {
    "rtvoiced.ipc.ConnectionStatus.provider": "its schema promises a text",
    "rtvoiced.ipc.State.provider": "its schema promises a text",
    "rtvoiced.ipc.ResponseCreated.status": "the server's word, passed on as it came",
    "rtvoiced.ipc.ResponseDone.status": "the server's word, passed on as it came",
    "rtvoiced.realtime.ResponseDone.status": "the server's word, read as it came",
    "rtvoiced.realtime.ItemAdded.role": "the server's word, read as it came",
    "rtvoiced.realtime.CreateItem.role": "the protocol has roles that our history does not keep",
    "rtctl.service.WantedService.provider": "what stands in a unit, which anybody may edit",
    "rtctl.service.ServiceState.status": "a sentence: what the daemon last told of itself",
}
"""Fields that are free texts all the same, and why."""


def free_texts() -> Iterator[str]:
    """Yield the fields of all classes whose name has a vocabulary and whose type has none."""
    for package, root in ROOTS.items():
        for file in sorted(root.rglob("*.py")):
            folder = ".".join([package, *file.relative_to(root).parts[:1]])
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield from (f"{folder}.{node.name}.{name}" for name in _fields(node))


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id in CLOSED:
            annotation = each.annotation
            if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
                assert isinstance(annotation.slice, ast.Tuple)
                annotation = annotation.slice.elts[0]
            if ast.unparse(annotation) in FREE_TEXT:
                yield each.target.id


def test_a_field_that_has_a_vocabulary_is_no_free_text() -> None:
    assert sorted(free_texts()) == sorted(FREE)


def test_a_vocabulary_stands_in_one_place() -> None:
    """What is written down as a `Literal` elsewhere is of one module's own, and no vocabulary's twin."""
    known = {frozenset(words(each)): name for name, each in vars(vocabulary).items() if _is_closed(each)}
    twins = [
        (str(file.relative_to(root)), ast.unparse(node))
        for root in ROOTS.values()
        for file in root.rglob("*.py")
        if file.name != "vocabulary.py"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
        if _words_of(node) in known
    ]

    assert twins == []


def _is_closed(each: object) -> bool:
    return get_origin(each) is Literal


def _words_of(node: ast.Subscript) -> frozenset[object]:
    found = ast.literal_eval(node.slice)
    return frozenset(found if isinstance(found, tuple) else (found,))


def test_rtctl_which_imports_no_vocabulary_offers_its_words() -> None:
    assert words(ProviderName) == generated_verbs.PROVIDERS
