"""Recordings of sessions: all that was on the wire, but neither audio nor keys; private; bounded."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from rtvoiced.errors import ConfigError
from rtvoiced_server.net import recording
from rtvoiced_server.net.recording import SessionRecording, SessionRecordings, elided
from rtvoiced_server.vocabulary import DialectName
from support.serving import Json, append, ask, event, listening, send, talking, to_the_end, until, visiting


def begun(folder: Path) -> SessionRecording:
    made = SessionRecordings(folder).begin(DialectName.GA)
    assert made is not None
    return made


def lines(folder: Path) -> list[Json]:
    """The lines of the only recording in *folder*."""
    (path,) = folder.iterdir()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_both_directions_are_recorded_as_they_were_on_the_wire(tmp_path: Path) -> None:
    async def talk() -> list[Json]:
        async with (
            listening(recordings=SessionRecordings(tmp_path / "r")) as server,
            visiting(server) as websocket,
        ):
            told = [await event(websocket)]
            await send(websocket, "session.update", session={"type": "realtime", "instructions": "Sing."})
            await append(websocket, bytes(480))
            await ask(websocket, "hello")
            return told + await until(websocket, "rate_limits.updated")

    told = asyncio.run(talk())
    found = lines(tmp_path / "r")
    assert {(line["direction"], line["dialect"]) for line in found} == {("client", "ga"), ("server", "ga")}
    assert [line["event"] for line in found if line["direction"] == "server"] == [elided(one) for one in told]
    sent = [line["event"] for line in found if line["direction"] == "client"]
    assert [one["type"] for one in sent] == [
        "session.update",
        "input_audio_buffer.append",
        "conversation.item.create",
        "response.create",
    ]
    assert sent[0]["session"] == {"type": "realtime", "instructions": "Sing."}
    assert sent[1]["audio"] == "(640 characters of base64)"
    times = [line["time"] for line in found]
    assert times == sorted(times)
    # Longer than any word that is said.
    assert max(len(line) for line in json.dumps(found).split('"')) < 120


def test_a_client_of_the_beta_is_recorded_in_its_own_words(tmp_path: Path) -> None:
    async def talk() -> None:
        recordings = SessionRecordings(tmp_path / "r")
        async with listening(recordings=recordings) as server, visiting(server, "dialect=beta") as websocket:
            await until(websocket, "conversation.created")
            await send(websocket, "session.update", session={"temperature": 0.7})
            await until(websocket, "session.updated")

    asyncio.run(talk())
    found = lines(tmp_path / "r")
    assert [line["event"]["type"] for line in found] == [
        "session.created",
        "conversation.created",
        "session.update",
        "session.updated",
    ]
    assert {line["dialect"] for line in found} == {"beta"}
    assert found[2]["event"]["session"] == {"temperature": 0.7}


def test_what_is_no_event_is_recorded_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    made = begun(tmp_path)
    for message in ("{", "[1]", b"\xff\x00", "x" * 1_000, "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900):
        made.client(message)
    made.close()

    found = lines(tmp_path)
    assert [line["event"] for line in found] == [None] * 6
    assert [line["unreadable"] for line in found][:4] == ["{", "[1]", "\ufffd\x00", "x" * 200]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (
            {"type": "response.output_audio.delta", "delta": "AAAA", "item_id": "i"},
            {"type": "response.output_audio.delta", "delta": "(4 characters of base64)", "item_id": "i"},
        ),
        (
            {"type": "response.audio.delta", "delta": "AAAA"},
            {"type": "response.audio.delta", "delta": "(4 characters of base64)"},
        ),
        (
            {"type": "response.output_text.delta", "delta": "AAAA"},
            {"type": "response.output_text.delta", "delta": "AAAA"},
        ),
        (
            {"item": {"content": [{"type": "input_audio", "audio": "AAAA", "transcript": "yes"}]}},
            {
                "item": {
                    "content": [
                        {"type": "input_audio", "audio": "(4 characters of base64)", "transcript": "yes"}
                    ]
                }
            },
        ),
        (
            {"content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]},
            {"content": [{"type": "input_image", "image_url": "(24 characters of base64)"}]},
        ),
        (
            {
                "tools": [
                    {"type": "mcp", "server_label": "s", "authorization": "key", "headers": {"X": "key"}}
                ]
            },
            {
                "tools": [
                    {
                        "type": "mcp",
                        "server_label": "s",
                        "authorization": "(not recorded)",
                        "headers": "(not recorded)",
                    }
                ]
            },
        ),
        (
            {
                "session": {"audio": {"output": {"voice": "slt"}}},
                "properties": {"authorization": {"type": "string"}},
            },
            {
                "session": {"audio": {"output": {"voice": "slt"}}},
                "properties": {"authorization": {"type": "string"}},
            },
        ),
    ],
)
def test_audio_pictures_and_keys_are_left_out(told: Json, kept: Json) -> None:
    assert elided(told) == kept


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    begun(tmp_path / "a" / "b").close()
    (path,) = (tmp_path / "a" / "b").iterdir()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_session_too_long_for_its_file_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LARGEST_FILE", 1_000)
    made = begun(tmp_path)
    for n in range(100):
        made.client(json.dumps({"type": "response.cancel", "event_id": str(n)}))
    made.close()

    found = lines(tmp_path)
    assert found[-1]["unreadable"] == "the recording ends here"
    assert [line["event"]["event_id"] for line in found[:-1]] == [str(n) for n in range(len(found) - 1)]
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 1_200


def test_the_oldest_recordings_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_FILES", 3)
    (tmp_path / "mine.txt").write_text("kept")
    recordings = SessionRecordings(tmp_path)
    for _ in range(5):
        made = recordings.begin(DialectName.GA)
        assert made is not None
        made.close()

    assert sorted(path.name[-18:-13] for path in tmp_path.glob("*.jsonl")) == ["00003", "00004", "00005"]
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize("make", [Path.touch, None])
def test_a_folder_that_cannot_be_is_told(tmp_path: Path, make: Any) -> None:
    folder = tmp_path / "file"
    if make is None:
        folder = Path("/proc/none")
    else:
        make(folder)

    with pytest.raises(ConfigError) as refused:
        SessionRecordings(folder)
    assert str(refused.value).startswith(f"--record: cannot use {folder}: ")


def test_a_folder_that_went_away_ends_no_session(tmp_path: Path) -> None:
    recordings = SessionRecordings(tmp_path / "r")
    (tmp_path / "r").rmdir()

    async def talk() -> int | None:
        async with (
            listening(recordings=recordings) as server,
            talking(server, "session_cap=0.1") as websocket,
        ):
            return (await to_the_end(websocket))[1]

    assert asyncio.run(talk()) == 1001
