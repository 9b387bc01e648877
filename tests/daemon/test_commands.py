"""Commands to a whole daemon with the embedded server: no devices, ids, expiry, voices, questions."""

from __future__ import annotations

import time
import uuid
import wave
from collections.abc import Iterator

import pytest

from rtvoiced.dsp.pcm import WIRE
from rtvoiced_server.answers.rules import STORY
from support.running import Room, Running, eventually, room

LOCAL = ("--provider", "local")
STATUS = {
    *("conversation", "muted", "muted_until", "push_to_talk", "connection", "input", "output", "response"),
    *("interruption", "subscribers", "uptime_s", "pid", "run", "seq", "version", "supervisor", "last_error"),
    *("volume_percent", "echo"),
}
CONNECTION = {
    *("status", "provider", "model", "voice", "session_id", "since", "attempt", "expires_at", "reason"),
}


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[Running]:
    with room() as made, Running(made, *LOCAL, "--audio", "none") as running:
        running.until(connection="up")
        yield running


@pytest.fixture
def daemon(one_for_all: Running) -> Running:
    """One daemon for all, for its start and its server's cost more than what is tried here."""
    one_for_all.begin_anew()
    return one_for_all


# No devices


@pytest.mark.parametrize(
    ("card", "devices"),
    [
        ("none", {"input": ("unavailable", None), "output": ("unavailable", None)}),
        ("wav:{0}/in.wav,", {"input": ("open", "in.wav"), "output": ("unavailable", None)}),
        ("wav:,{0}/out.wav", {"input": ("unavailable", None), "output": ("open", "out.wav")}),
    ],
)
def test_without_a_device_it_runs_says_so_and_answers_in_text(
    here: Room, card: str, devices: dict[str, tuple[str, str | None]]
) -> None:
    with wave.open(str(here.path / "in.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(WIRE.hz)
        file.writeframes(WIRE.silence(100))
    with Running(here, *LOCAL, "--audio", card.format(here.path)) as running:
        running.until(connection="up")
        request = running.ask("say hello")
        done = running.wait("response_done", request=request)["data"]
        said = running.wait("assistant_transcript", response_id=done["response_id"])["data"]
        running.until(conversation="listening")
        status = running.data("status")

        assert {name: (status[name]["status"], status[name]["name"]) for name in devices} == devices
        assert [running.words[name] for name in devices] == [word for word, _ in devices.values()]
        assert [each["data"]["text"] for each in running.named("delta")] == ["hello"]
        assert (said["text"], said["heard"], said["interrupted"]) == ("hello", "hello", False)
        assert done["status"] == "completed"
        assert running.named("error") == []


# Who is there


def test_status_and_hello_have_all_that_the_contract_names(daemon: Running) -> None:
    hello, status = daemon.request("hello"), daemon.request("status")
    told = daemon.room.rtctl("hello").stdout

    assert set(hello["data"]) == {"protocol", "version", "capabilities", "pid", "run", "endpoints"}
    assert set(status["data"]) == STATUS
    assert set(status["data"]["connection"]) == CONNECTION
    for reply in (hello, status):
        assert (reply["data"]["run"], reply["data"]["pid"]) == (reply["run"], daemon.process.pid)
    assert status["data"]["seq"] == status["seq"] == daemon.seq
    daemon.data("mute", mode="toggle")
    daemon.until(muted=True)
    assert {each["run"] for each in daemon.events} == {status["run"]}
    assert told.endswith(f"pid {daemon.process.pid}, run {status['run']}\n")


# Ids


def test_retried_toggle_toggles_once(daemon: Running) -> None:
    request = uuid.uuid4().hex
    first, again = (daemon.request("mute", request_id=request, mode="toggle") for _ in range(2))

    assert first == again
    assert first["data"] == {"muted": True, "until": None, "changed": True}
    assert daemon.data("status")["muted"] is True
    # The same words with another id are another wish; the same id with other words is a mistake.
    assert daemon.data("mute", mode="toggle")["muted"] is False
    wrong = daemon.request("mute", request_id=request, mode="off")
    assert (wrong["ok"], wrong["error"]["code"]) == (False, "bad_request")


def test_expired_command_is_never_carried_out(daemon: Running) -> None:
    late = daemon.request("mute", mode="on", expires=time.monotonic() - 0.001)

    assert (late["ok"], late["error"]["code"], late["error"]["retryable"]) == (False, "expired", True)
    assert daemon.data("status")["muted"] is False
    assert daemon.request("mute", mode="on", expires=time.monotonic() + 60)["ok"]


def test_voice_changes_now_and_after_the_first_words_with_the_next_session(daemon: Running) -> None:
    assert daemon.data("set-voice", voice="rms") == {"voice": "rms", "applied": "now"}
    assert daemon.data("status")["connection"]["voice"] == "rms"
    daemon.ask("say hello")
    daemon.wait("assistant_transcript", heard="hello")

    assert daemon.data("set-voice", voice="kal16") == {"voice": "kal16", "applied": "next_session"}
    assert daemon.data("status")["connection"]["voice"] == "rms"
    request, before = daemon.post("reconnect"), daemon.seq
    assert daemon.reply(request)["data"] == {"accepted": True}
    daemon.wait("connection", after=before, status="up", request=request)
    daemon.until(voice="kal16")
    assert daemon.data("set-voice", voice="slt")["applied"] == "now"


def test_questions_are_answered_one_after_the_other_each_with_its_request(daemon: Running) -> None:
    texts = ("say one", "say two", "say three")
    posted = [daemon.post("ask", text=text) for text in texts]
    replies = [daemon.reply(request)["data"] for request in posted]
    for request in posted:
        daemon.wait("response_done", request=request)
    daemon.wait("assistant_transcript", count=3)
    created, done = daemon.named("response_created"), daemon.named("response_done")

    assert [reply["accepted"] for reply in replies] == [True] * 3
    assert [bool(reply["queued"]) for reply in replies] == [False, True, True]
    assert [each["data"]["request"] for each in created] == posted
    assert [(each["data"]["request"], each["data"]["status"]) for each in done] == [
        (request, "completed") for request in posted
    ]
    assert [each["data"]["heard"] for each in daemon.named("assistant_transcript")] == ["one", "two", "three"]
    first = daemon.events[0]["seq"]
    assert [each["seq"] for each in daemon.events] == list(range(first, first + len(daemon.events)))


def test_interrupt_by_rtctl_tells_who_asked_and_what_was_heard(daemon: Running) -> None:
    asked = daemon.ask("tell me a long story")
    daemon.wait("playback", status="started")
    # Some words are over by then, so that there is something that it has said.
    eventually(lambda: (daemon.request("status")["data"]["response"] or {"played_ms": 0})["played_ms"] > 1500)
    told = daemon.room.rtctl("interrupt", "--json")
    cut = daemon.wait("interrupt")["data"]
    daemon.until(conversation="listening")
    done = daemon.wait("response_done")["data"]

    assert told.returncode == 0
    assert f'"played_ms": {cut["played_ms"]}' in told.stdout
    assert cut["cause"] == "command"
    assert len(cut["request"]) == 32
    assert (done["request"], done["status"]) == (asked, "cancelled")
    assert daemon.room.rtctl("interrupt").stdout == "nothing to interrupt\n"
    # The server was told: it knows its words up to there, by an estimate of its own.
    cut_off = daemon.wait("assistant_transcript")["data"]
    daemon.ask("what did you say")
    known = daemon.wait("assistant_transcript", count=2)["data"]["text"]
    assert STORY.startswith(known)
    assert len(known) < len(cut_off["text"])
    assert STORY.startswith(cut_off["heard"])


# The way to the server


def test_local_server_is_reached_past_a_dead_proxy(here: Room) -> None:
    dead = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("https_proxy", "http_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), dead)
    with Running(here, *LOCAL, "--audio", "none", environ=proxies) as running:
        running.until(connection="up")
        assert running.named("error") == []
