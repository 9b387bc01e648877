"""Each switch as a flag and as a parameter of the query: the same names, values and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from rtvoiced.errors import USAGE
from rtvoiced_server.net.options import PARAMETERS, ConnectionOptions, Quirk, by_flags, by_query
from rtvoiced_server.net.refusals import SocketClose
from rtvoiced_server.serve import arguments

SWITCHES: list[tuple[str, str, str, Any]] = [
    ("late_deltas", "2", "late_deltas", 2),
    ("speed", "1", "speed", 1.0),
    ("session_cap", "3.5", "session_cap", 3.5),
    ("drop_after", "0", "drop_after", 0.0),
    ("refuse", "429", "refuse", 429),
    ("refuse", "1013", "refuse", SocketClose(1013, "try again later")),
    ("refuse", "insufficient_quota", "refuse", SocketClose(4000, "invalid_request_error.insufficient_quota")),
    ("no_done", "1", "no_done", True),
    ("latency", "150", "latency", 150.0),
    ("seed", "7", "seed", "7"),
    ("delta_bytes", "3", "delta_bytes", 3),
    *(("quirk", each.value, "quirks", frozenset({each})) for each in Quirk),
]


SITE = "wants a web site such as https://example.org or http://192.168.1.5:3000"


def flags(*words: str) -> ConnectionOptions:
    return by_flags(arguments(words))


@pytest.mark.parametrize(("name", "text", "field", "value"), SWITCHES)
def test_a_switch_is_the_same_by_flag_and_by_query(name: str, text: str, field: str, value: Any) -> None:
    flag = f"--{name.replace('_', '-')}"
    by_flag = flags(flag) if name == "no_done" else flags(flag, text)

    assert getattr(by_flag, field) == value
    assert by_query(ConnectionOptions(), {name: [text]}) == by_flag


def test_there_is_no_other_switch() -> None:
    assert {name for name, *_ in SWITCHES} == set(PARAMETERS)


def test_without_a_switch_it_is_a_good_server() -> None:
    assert flags() == ConnectionOptions() == by_query(ConnectionOptions(), {"model": ["m"], "unknown": ["x"]})


def test_quirks_add_up_and_of_all_else_the_last_counts() -> None:
    both = frozenset({Quirk.PING, Quirk.NO_CREATED})

    assert flags("--quirk", "ping", "--quirk", "no-created").quirks == both
    assert by_query(
        ConnectionOptions(), {"quirk": ["ping", "no-created"], "speed": ["1", "2"]}
    ) == ConnectionOptions(speed=2.0, quirks=both)


@pytest.mark.parametrize(("text", "value"), [("", True), ("true", True), ("0", False), ("False", False)])
def test_a_switch_of_the_query_may_be_named_alone_or_turned_off(text: str, value: bool) -> None:
    assert by_query(ConnectionOptions(no_done=True), {"no_done": [text]}).no_done is value


@pytest.mark.parametrize("text", ["https://example.org", "https://example.org/", "HTTPS://Example.Org"])
def test_a_web_site_is_named_as_browsers_name_it(text: str) -> None:
    assert arguments(("--allow-origin", text)).allow_origin == ["https://example.org"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--late-deltas", "x"), "argument --late-deltas: wants a whole number from 0 to 1000, not 'x'"),
        (("--speed", "0"), "argument --speed: wants a number from 0.1 to 1000, not '0'"),
        (
            ("--delta-bytes", "0"),
            f"argument --delta-bytes: wants a whole number from 1 to {16 << 20}, not '0'",
        ),
        (("--latency=-1",), "argument --latency: wants a number from 0 to 10000, not '-1'"),
        (("--port", "65536"), "argument --port: wants a whole number from 0 to 65535, not '65536'"),
        (("--allow-origin", "*"), f"argument --allow-origin: {SITE}, not '*'"),
        (("--late", "1"), "unrecognized arguments: --late 1"),
    ],
)
def test_a_flag_that_cannot_be_read_is_one_clear_line(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        arguments(words)

    assert refused.value.code == USAGE
    assert capsys.readouterr().err.splitlines()[-1] == f"rtvoiced serve: error: {told}"
