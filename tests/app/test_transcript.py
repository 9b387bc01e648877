"""The conversation as lines: who spoke, what, where it was cut; and no server rewrites the terminal."""

from __future__ import annotations

import pytest

from rtvoiced.app.transcript import Transcript
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract.events import IpcEvent


def shown(*events: IpcEvent, color: bool = False) -> list[str]:
    """Return the lines that these events make."""
    lines: list[str] = []
    transcript = Transcript(lines.append, color=color)
    for event in events:
        transcript(event)
    return lines


def said(text: str, item: str = "i1", heard: str | None = None) -> IpcEvent:
    """Return what the assistant said; *heard* is what was heard of it before it was cut."""
    return ipc.AssistantTranscript(
        "r1", item, text, text if heard is None else heard, False, heard is not None
    )


def cut(item: str = "i1", played_ms: int = 840) -> IpcEvent:
    return ipc.Interrupt("server_vad", "r1", item, played_ms, 3160)


def state(*, muted: bool) -> IpcEvent:
    return ipc.State("listening", muted, False, "up", "open", "open", "slt", "local")


def test_a_conversation_reads_as_one() -> None:
    assert shown(
        ipc.Device("input", "USB PnP", "open", 48_000, 20.0),
        ipc.Device("output", None, "unavailable"),
        ipc.Connection("connecting"),
        ipc.Connection("up", session_id="sess_1"),
        state(muted=False),
        ipc.SpeechStarted("u1", 320, "server"),
        ipc.UserTranscript("u1", "what is", False),
        ipc.UserTranscript("u1", "what is the time", True),
        ipc.Delta("r1", "i1", "It is"),
        ipc.AudioArrived("r1", "i1", 4800, 100),
        said("It is ten."),
        ipc.Playback("i1", "drained", 900),
    ) == [
        "·          microphone: USB PnP at 48000 Hz",
        "·          speaker: unavailable",
        "·          connection up",
        "you        what is the time",
        "assistant  It is ten.",
    ]


def test_a_cut_tells_what_was_heard_of_the_item_that_sounded() -> None:
    assert shown(
        said("It is ten o'clock and", heard="It is"), said("Besides,", "i2", heard=""), cut("i1")
    ) == [
        "assistant  It is ten o'clock and",
        "assistant  Besides,",
        '✂ cut      after 840 ms, 3160 ms never played (server_vad); heard: "It is"',
    ]


def test_a_cut_of_which_no_words_are_known_says_nothing_of_words() -> None:
    assert shown(cut(), cut(played_ms=0)) == [
        "✂ cut      after 840 ms, 3160 ms never played (server_vad)",
        "✂ cut      after 0 ms, 3160 ms never played (server_vad); nothing of it was heard",
    ]


def test_words_of_an_earlier_cut_are_not_told_of_a_later_one() -> None:
    assert shown(said("one two", heard="one"), cut(), cut("i2"))[-1] == (
        "✂ cut      after 840 ms, 3160 ms never played (server_vad)"
    )


def test_a_connection_is_told_by_what_became_of_it() -> None:
    assert shown(
        ipc.Connection("lost", "connection lost", 1),
        ipc.Connection("connecting", attempt=1),
        ipc.Connection("lost", "connection lost", 2),
        ipc.Connection("connecting", attempt=2),
        ipc.Connection("up"),
        ipc.Connection("failed", "HTTP 401: no"),
        ipc.Error("auth_failed", "HTTP 401: no"),
    ) == [
        "·          connection lost: connection lost; trying again",
        "·          connection up",
        "·          connection failed: HTTP 401: no",
        "error      HTTP 401: no (auth_failed)",
    ]


def test_a_mute_is_told_when_it_changes() -> None:
    assert shown(*(state(muted=each) for each in (False, True, True, False))) == [
        "·          microphone muted",
        "·          microphone live",
    ]


def test_an_utterance_without_words_is_one() -> None:
    assert shown(ipc.UserTranscript("u1", "", True)) == ["you        (nothing understood)"]


@pytest.mark.parametrize(
    "text", ["a\x1b[2Jb", "a\nb", "a\rb", "a\x07b", "a\x9bb", "a\u202eb", "a\ud800b", "a\x00b", "a\u2028b"]
)
def test_what_would_rewrite_the_terminal_is_blank(text: str) -> None:
    letters = [
        shown(ipc.UserTranscript("u1", text, True)),
        shown(said(text)),
        shown(ipc.Error("internal", text)),
        shown(ipc.Connection("failed", text)),
        shown(ipc.Device("input", text, "open", 1)),
    ]

    for (line,) in letters:
        assert line.isprintable()
        line.encode("utf-8")
    assert letters[1] == ["assistant  " + ("a [2Jb" if "[" in text else "a b")]


def test_color_comes_only_where_it_is_wanted() -> None:
    spoken = (ipc.UserTranscript("u1", "hello", True), said("hi"), ipc.Error("internal", "no"))

    assert shown(*spoken, color=True) == [
        "\x1b[1myou        hello\x1b[0m",
        "assistant  hi",
        "\x1b[31merror      no (internal)\x1b[0m",
    ]
    assert "\x1b" not in "".join(shown(*spoken))


def test_a_note_is_a_line_like_any_other() -> None:
    lines: list[str] = []
    Transcript(lines.append, color=False).note("sound goes to out.wav\x1b")

    assert lines == ["·          sound goes to out.wav "]


def test_long_lines_are_wrapped_below_their_first_word() -> None:
    lines: list[str] = []
    shown_in = Transcript(lines.append, color=True, columns=40)

    shown_in(ipc.UserTranscript("u1", "one two three four five six seven eight", True))

    assert lines == [
        "\x1b[1myou        one two three four five six\x1b[0m",
        "\x1b[1m           seven eight\x1b[0m",
    ]
