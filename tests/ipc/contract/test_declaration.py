"""A command and an event are declared once, and what a declaration says of a field is held everywhere."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from rtvoiced.errors import CommandError
from rtvoiced.ipc.contract import commands, events
from rtvoiced.ipc.contract.declaration import Bounds, name_of
from rtvoiced.ipc.contract.fields import MessageField, fields_of
from rtvoiced.ipc.contract.protocol import parse_request, request_body
from rtvoiced.ipc.contract.schema import schemas

ARGUMENTS = [
    (name, field) for name, each in commands.DECLARED.items() for field in fields_of(each.kind).values()
]
BOUNDED = [(name, field) for name, field in ARGUMENTS if field.bounds != Bounds()]
WORDED = [(name, field) for name, field in ARGUMENTS if field.words]
SENT = [
    *((f"event.{name}", each.kind) for name, each in events.DECLARED.items()),
    *((f"reply.{name}", each.reply) for name, each in commands.DECLARED.items()),
]


def named(case: Any) -> str | None:
    return case.name if isinstance(case, MessageField) else None


def test_every_command_is_declared_once_and_stands_in_the_union() -> None:
    modules = {each.stem for each in Path(str(commands.__file__)).parent.glob("*.py")} - {"__init__"}
    declared = list(commands.DECLARED.values())

    assert modules == set(commands.FAMILIES)
    assert set(get_args(commands.Command)) == {each.kind for each in declared}
    assert len({each.name for each in declared}) == len({each.kind for each in declared}) == len(declared)


def test_every_event_is_declared_once_and_stands_in_the_union() -> None:
    declared = list(events.DECLARED.values())

    assert set(get_args(events.IpcEvent)) == {each.kind for each in declared}
    assert len({each.name for each in declared}) == len(declared)


def test_a_message_knows_its_name() -> None:
    assert (name_of(commands.SetVoice("slt")), name_of(events.Bye("signal"))) == ("set-voice", "bye")


def test_what_the_conversation_decides_changes_something() -> None:
    decided = {name for name, each in commands.COMMANDS.items() if each in get_args(commands.ForConversation)}

    assert decided & commands.READS == set()
    assert decided == {*("mute", "interrupt", "say", "ask", "talk", "reconnect", "set-voice"), "stop"}


def refusal(command: str, field: MessageField, value: object) -> CommandError | None:
    """Return what becomes of a request that has *value* in one field and what will do in the others."""
    args = {
        each.name: sample(each) for each in fields_of(commands.COMMANDS[command]).values() if each.required
    }
    try:
        parse_request(request_body(command, {**args, field.name: value}))
    except CommandError as error:
        return error
    return None


def sample(field: MessageField) -> object:
    return field.words[0] if field.words else 1 if field.kinds == (int,) else "x"


def beyond(bounds: Bounds) -> list[object]:
    """Return values just outside."""
    outside: list[object] = [bounds.above] if bounds.above is not None else []
    outside += [bounds.least - 1] if bounds.least is not None else []
    outside += [bounds.most + 1] if bounds.most is not None else []
    return [*outside, *(["", " \t\n"] if bounds.filled else [])]


def within(bounds: Bounds) -> list[object]:
    """Return values just inside."""
    inside: list[object] = [bounds.above + 1] if bounds.above is not None else []
    inside += [each for each in (bounds.least, bounds.most) if each is not None]
    return [*inside, *(["x"] if bounds.filled else [])]


@pytest.mark.parametrize(("command", "field"), BOUNDED, ids=named)
def test_bounds_of_an_argument_are_held_by_the_parser_and_told_by_the_schema(
    command: str, field: MessageField
) -> None:
    told = schemas()[f"request.{command}"]["properties"]["args"]["properties"][field.name]

    assert field.bounds.schema().items() <= told.items()
    assert beyond(field.bounds)
    for value in beyond(field.bounds):
        error = refusal(command, field, value)
        assert error is not None, value
        assert (error.code, error.details) == ("bad_args", {"arg": field.name})
    assert [refusal(command, field, value) for value in within(field.bounds)] == [None] * len(
        within(field.bounds)
    )


@pytest.mark.parametrize(("command", "field"), WORDED, ids=named)
def test_words_of_an_argument_are_held_by_the_parser_and_told_by_the_schema(
    command: str, field: MessageField
) -> None:
    told = schemas()[f"request.{command}"]["properties"]["args"]["properties"][field.name]
    error = refusal(command, field, "surely_not")

    assert told["enum"] == list(field.words)
    assert error is not None
    assert (error.code, error.message) == (
        "bad_args",
        f"{field.name}: must be one of {', '.join(field.words)}",
    )
    assert [refusal(command, field, word) for word in field.words] == [None] * len(field.words)


@pytest.mark.parametrize(("command", "field"), ARGUMENTS, ids=named)
def test_a_value_of_another_type_is_refused(command: str, field: MessageField) -> None:
    values: tuple[object, ...] = ({}, [1], None, True, "x", 1.5)
    wrong = [value for value in values if not may_be(field, value)]

    assert wrong
    for each in wrong:
        error = refusal(command, field, each)
        assert error is not None, each
        assert (error.code, error.details) == ("bad_args", {"arg": field.name})


def may_be(field: MessageField, value: object) -> bool:
    if value is None:
        return field.nullable
    return type(value) in field.kinds or (isinstance(value, str) and bool(field.words))


@pytest.mark.parametrize(("name", "kind"), SENT)
def test_bounds_and_words_of_what_the_daemon_sends_are_told_by_the_schema(name: str, kind: type[Any]) -> None:
    told = schemas()[name]["properties"]["data"]["properties"]

    assert is_dataclass(kind)
    for field in fields_of(kind).values():
        assert field.bounds.schema().items() <= told[field.name].items()
        assert told[field.name].get("enum", []) == list(field.words)


def test_a_list_of_texts_is_a_list_of_texts() -> None:
    asked = {"command": "replay", "args": {"run": "9f3a61c2", "since": 0, "events": ["state", "bye"]}}
    command = parse_request(json.dumps(asked).encode()).command

    assert command == commands.Replay("9f3a61c2", 0, ("state", "bye"))
    asked["args"] = {"run": "9f3a61c2", "since": 0, "events": "state"}
    with pytest.raises(CommandError, match="events: must be a list of strings"):
        parse_request(json.dumps(asked).encode())
