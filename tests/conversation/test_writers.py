"""Who writes what: a store's facts are written by its own methods, and nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtvoiced.conversation

PACKAGE = Path(rtvoiced.conversation.__path__[0])
MODULES = sorted(PACKAGE.rglob("*.py"))
CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert"}
    | {"pop", "popleft", "remove", "setdefault", "update"}
)
"""What changes a list, a deque, a set or a dict."""


def names(node: ast.expr) -> list[str]:
    """The names of ``a.b.c``, or of ``a.b[0].c``; empty where it begins with something else."""
    match node:
        case ast.Name(name):
            return [name]
        case ast.Attribute(value, attribute):
            return [*before, attribute] if (before := names(value)) else []
        case ast.Subscript(value):
            return names(value)
        case _:
            return []


def targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to, or deletes."""
    match node:
        case ast.Assign(assigned) | ast.Delete(assigned):
            pending = list(assigned)
        case ast.AugAssign(target) | ast.AnnAssign(target) | ast.For(target):
            pending = [target]
        case _:
            return
    while pending:
        each = pending.pop()
        if isinstance(each, ast.Tuple | ast.List):
            pending += each.elts
        else:
            yield each


def foreign_writes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every line that writes a fact of another object: ``a.b = …``, ``self.a.b = …``, ``a._b.append(…)``."""
    for node in ast.walk(tree):
        for target in targets(node):
            path = names(target)
            own = path[:1] == ["self"] and len(path) == 2
            if isinstance(target, ast.Attribute | ast.Subscript) and not own and len(path) > 1:
                yield node.lineno, ast.unparse(target)  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            path = names(node.func.value)
            if len(path) > 1 and path[-1].startswith("_") and not (path[0] == "self" and len(path) == 2):
                yield node.lineno, ast.unparse(node.func)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_writes_a_fact_of_another_object(module: Path) -> None:
    assert list(foreign_writes(ast.parse(module.read_text("utf-8")))) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_touches_what_is_private_to_another_object(module: Path) -> None:
    private = [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]

    assert private == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_a_generator_that_could_be_left_half_run(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))

    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Yield | ast.YieldFrom)] == []


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("self.a = 1", []),
        ("self._a[0] = 1", []),
        ("a = b.c", []),
        ("state.phase = 1", ["state.phase"]),
        ("self._state.fresh += 1", ["self._state.fresh"]),
        ("x, state.a.b = 1, 2", ["state.a.b"]),
        ("del state.devices['input']", ["state.devices['input']"]),
        ("self._state._waiting.append(1)", ["self._state._waiting.append"]),
        ("self._waiting.append(1)", []),
    ],
)
def test_the_watcher_sees_what_it_watches_for(source: str, written: list[str]) -> None:
    assert [what for _, what in foreign_writes(ast.parse(source))] == written
