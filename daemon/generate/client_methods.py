"""Makes the methods of both clients: one for each command that programs ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any, Literal, get_origin

from generate.texts import python
from rtvoiced.ipc.contract.commands import DECLARED
from rtvoiced.ipc.contract.declaration import Alias, CommandDeclaration
from rtvoiced.ipc.contract.fields import MessageField, fields_of
from rtvoiced.ipc.contract.schema import documented_fields, one_line

SYNC, ASYNC = "ctl/rtctl/client/commands.py", "ctl/rtctl/client/async_commands.py"
HEAD = '''"""The commands as methods of `{client}`. Made by ``make generate``: do not edit.

They follow from the declarations in `rtvoiced.ipc.contract.commands`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from rtvoiced.ipc.contract import replies
{vocabulary}
T = TypeVar("T")


class {name}:
    """A method for each command. All take *timeout_s*, which replaces the client's own time limit.

    Raises `CommandError` with the daemon's code, or ``timeout``;
    `NotRunningError` or `PermissionRefusedError` where no daemon can be
    reached.
    """

    {define} _ask(self, kind: type[T], command: str, timeout_s: float | None, **args: Any) -> T:
        """Return the reply to *command* as a *kind*; arguments that are None are left out."""
        raise NotImplementedError
'''
WIDTH = 96
"""Of a docstring's first line: 110 columns without the indentation and the quotation marks."""


def files(root: Path) -> dict[str, str]:
    """Return the texts of the files by their paths."""
    return {
        SYNC: python(_module("rtctl.client.Client", "CommandMethods", "def", "")),
        ASYNC: python(_module("rtctl.aio.AsyncClient", "AsyncCommandMethods", "async def", "await ")),
    }


def _module(client: str, name: str, define: str, wait: str) -> str:
    words = sorted({word for each in DECLARED.values() if each.verb for word in _vocabulary(each)})
    vocabulary = f"from rtvoiced.vocabulary import {', '.join(words)}\n" if words else ""
    head = HEAD.format(client=client, name=name, define=define, vocabulary=vocabulary)
    methods = [method for each in DECLARED.values() if each.verb for method in _methods(each, define, wait)]
    return "\n".join([head, *methods])


def _methods(declared: CommandDeclaration, define: str, wait: str) -> Iterator[str]:
    assert declared.verb is not None
    yield _method(declared, define, wait)
    yield from (_alias(declared, alias, define, wait) for alias in declared.verb.aliases if alias.args)


def _method(declared: CommandDeclaration, define: str, wait: str) -> str:
    name, fields = declared.name.replace("-", "_"), list(fields_of(declared.kind).values())
    first = fields[0] if fields and fields[0].kinds != (bool,) else None
    positional = [each for each in fields if each.required or each is first]
    parameters = ["self", *(_parameter(declared, each) for each in positional), "*"]
    parameters += [_parameter(declared, each) for each in fields if each not in positional]
    parameters.append("timeout_s: float | None = None")
    passed = "".join(f", {each.name}={each.name}" for each in fields)
    reply = f"replies.{declared.reply.__name__}"
    return (
        f"    {define} {name}({', '.join(parameters)}) -> {reply}:\n"
        f"{_docstring(declared)}"
        f'        return {wait}self._ask({reply}, "{declared.name}", timeout_s{passed})\n'
    )


def _alias(declared: CommandDeclaration, alias: Alias, define: str, wait: str) -> str:
    name = alias.name.replace("-", "_")
    passed = "".join(f", {key}={value!r}" for key, value in alias.args.items())
    reply = f"replies.{declared.reply.__name__}"
    return (
        f"    {define} {name}(self, *, timeout_s: float | None = None) -> {reply}:\n"
        f'        """{alias.help[0].upper()}{alias.help[1:]}."""\n'
        f'        return {wait}self._ask({reply}, "{declared.name}", timeout_s{passed})\n'
    )


def _parameter(declared: CommandDeclaration, field: MessageField) -> str:
    told = f"{field.name}: {_type_name(declared.kind, field)}"
    return told if field.required else f"{told} = {field.default!r}"


def _docstring(declared: CommandDeclaration) -> str:
    told = one_line(declared.kind.__doc__ or "")
    if len(told) > WIDTH:
        told, _, rest = told.partition("; ")
        told, started = f"{told}.", [f"{rest[0].upper()}{rest[1:]}"]
    else:
        started = []
    further = started + [f"*{name}*: {text}" for name, text in documented_fields(declared.kind).items()]
    if not further:
        return f'        """{told}"""\n'
    lines = "\n".join(_filled(each) for each in further)
    return f'        """{told}\n\n{lines}\n        """\n'


def _filled(text: str) -> str:
    return fill(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def _type_name(kind: type[Any], field: MessageField) -> str:
    """Return the type as it stands in a signature: a vocabulary by its name."""
    if get_origin(field.type) is Literal:
        return _annotation(kind, field.name)
    return field.type.__name__ if isinstance(field.type, type) else str(field.type)


def _vocabulary(declared: CommandDeclaration) -> Iterator[str]:
    for name, field in fields_of(declared.kind).items():
        if get_origin(field.type) is Literal:
            yield _annotation(declared.kind, name)


def _annotation(kind: type[Any], name: str) -> str:
    """Return a field's annotation as it is written, without what `Annotated` adds."""
    written = ast.parse(kind.__annotations__[name], mode="eval").body
    if isinstance(written, ast.Subscript) and isinstance(written.slice, ast.Tuple):
        written = written.slice.elts[0]
    return ast.unparse(written)
