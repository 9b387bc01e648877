"""Whole spoken conversations: a script for the microphone, a WAV file for the speaker, a real server."""

from __future__ import annotations

import os
import signal
import wave

from rtvoiced.dsp.pcm import FRAME_BYTES, WIRE
from rtvoiced_server.answers.rules import STORY
from support.running import Room, Running, eventually, room
from support.speech import spoken
from support.validation import check_recordings

QUICK = ("--provider", "local", "--set", "turn.silence_ms=300")
FADE_MS = 5
EXACT_MS = 30


def card(here: Room, script: str) -> str:
    """Return the spec of a card that speaks *script* and writes what is heard to ``heard.wav``."""
    (here.path / "script.toml").write_text(script, encoding="utf-8")
    return f"wav:{here.path}/script.toml,{here.path}/heard.wav"


def heard_of(here: Room) -> bytes:
    with wave.open(str(here.path / "heard.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, WIRE.hz)
        return bytes(file.readframes(file.getnframes()))


def sent_for(text: str) -> bytes:
    """Return what the embedded server sends for *text*."""
    return b"".join(each.pcm for each in spoken(text))


def words_spoken(text: str, played_ms: int) -> int:
    """Return how many words of *text* have ended by then, by the synthesiser's own times."""
    ends, begin_ms = [], 0
    for each in spoken(text):
        ends += [begin_ms + mark.ms for mark in each.word_ends]
        begin_ms += WIRE.duration_ms(len(each.pcm))
    return sum(end_ms <= played_ms for end_ms in ends)


def place_of(heard: bytes, piece: bytes) -> int:
    """Return where *piece* stands, at a whole frame; -1: nowhere."""
    place = heard.find(piece)
    while place >= 0 and place % FRAME_BYTES:
        place = heard.find(piece, place + 1)
    return place


def written_ms(heard: bytes, answer: bytes) -> float:
    """Return how much of *answer* stands in *heard*, whole blocks of 1 ms, gaps of a late card left out."""
    step = WIRE.size(1)
    begin = next(at for at in range(0, len(answer), step) if any(answer[at : at + step]))
    # A gap may fall into the very beginning: then what follows is looked for.
    pieces = (
        (at, place_of(heard, answer[at : at + 20 * step]))
        for at in range(begin, begin + 200 * step, 20 * step)
    )
    at, place = next((found for found in pieces if found[1] >= 0), (begin, -1))
    assert place >= 0, "the answer was not played at all"
    while at < len(answer) and place < len(heard):
        if heard[place : place + step] == answer[at : at + step]:
            at, place = at + step, place + step
        elif not any(heard[place : place + FRAME_BYTES]):
            place += FRAME_BYTES
            if not any(heard[place : place + 60 * step]):
                break
        else:
            break
    return at / step


def test_spoken_words_interrupt_a_story_and_are_answered() -> None:
    script = """
        [[utterance]]
        text = "tell me a long story"
        [[utterance]]
        text = "what did I say before"
        after_audible_ms = 1200
    """
    with room() as here, Running(here, *QUICK, "--audio", card(here, script)) as daemon:
        daemon.wait("assistant_transcript", count=2)
        daemon.until(conversation="listening")
        story = ["speech_started", "speech_stopped", "response_created", "playback"]
        told = [each["event"] for each in daemon.named(*story, "interrupt", "response_done")]
        cut, after = told[:7], told[7:]
        first, second = daemon.named("assistant_transcript")
        (interrupt,) = daemon.named("interrupt")
        items = [each["data"]["item_id"] for each in daemon.named("speech_started")]
        finals = [each["data"] for each in daemon.named("user_transcript") if each["data"]["final"]]
        drained = daemon.wait("playback", status="drained")
        daemon.stop()

        assert cut == [*story, "speech_started", "interrupt", "response_done"]
        assert after == ["speech_stopped", "response_created", "playback", "response_done", "playback"]
        assert finals == [
            {"item_id": items[0], "text": "tell me a long story", "final": True},
            {"item_id": items[1], "text": "what did i say before", "final": True},
        ]
        assert daemon.named("error") == []
        # What both sides said was recorded, so that the room can hold it against the protocol.
        assert check_recordings(here.recordings) > 0
        # What the events say of the story is what the listener heard of it.
        played_ms = interrupt["data"]["played_ms"]
        heard = heard_of(here)
        assert abs(written_ms(heard, sent_for(STORY)) + FADE_MS - played_ms) <= EXACT_MS
        assert first["data"]["interrupted"]
        assert STORY.startswith(first["data"]["heard"])
        words = len(first["data"]["heard"].split())
        assert 0 < words < len(first["data"]["text"].split())
        assert abs(words - words_spoken(STORY, played_ms)) <= 2
        # The next answer was heard whole.
        assert second["data"]["heard"] == "You said: tell me a long story"
        answer = sent_for(second["data"]["text"])
        assert written_ms(heard, answer) == len(answer) // WIRE.size(1)
        assert drained["data"]["played_ms"] == WIRE.duration_ms(len(answer))


def test_server_killed_while_it_speaks_costs_no_turn() -> None:
    script = """
        [[utterance]]
        text = "tell me a long story"
        [[utterance]]
        text = "what did you say"
        after = "drained"
        pause_ms = 2000
    """
    with room() as here, Running(here, *QUICK, "--audio", card(here, script)) as daemon:
        daemon.wait("playback", status="started")
        daemon.wait("audio_delta", count=15)  # Some words of it, at least.
        (server,) = [pid for pid, line in here.processes().items() if " serve " in line]
        os.kill(server, signal.SIGKILL)
        lost = daemon.wait("connection", status="lost")
        daemon.wait("connection", status="up", after=lost["seq"])
        heard = daemon.wait("assistant_transcript")["data"]["heard"]
        asked = daemon.wait("user_transcript", final=True, count=2)
        again = daemon.wait("assistant_transcript", after=asked["seq"])["data"]

        assert heard
        assert STORY.startswith(heard)
        assert asked["data"]["text"] == "what did you say"
        assert (again["heard"], again["interrupted"]) == (heard, False)
        daemon.until(conversation="listening")


def test_spoken_words_interrupt_a_story_that_only_speech_may_interrupt() -> None:
    script = """
        [[utterance]]
        text = "tell me a long story"
        [[utterance]]
        text = "what did I say before"
        after_audible_ms = 1200
    """
    words = (*QUICK, "--set", "interruption.policy=managed")
    with room() as here, Running(here, *words, "--audio", card(here, script)) as daemon:
        daemon.wait("assistant_transcript", count=2)
        daemon.until(conversation="listening")
        first, second = daemon.named("assistant_transcript")
        (interrupt,) = daemon.named("interrupt")
        (held,) = [each for each in daemon.named("playback") if each["data"]["status"] == "held"]
        finals = [each["data"]["text"] for each in daemon.named("user_transcript") if each["data"]["final"]]
        daemon.stop()

        assert finals == ["tell me a long story", "what did i say before"]
        assert second["data"]["heard"] == "You said: tell me a long story"
        assert interrupt["data"]["played_ms"] == held["data"]["played_ms"]
        assert STORY.startswith(first["data"]["heard"])
        assert daemon.named("error") == []
        assert (
            abs(written_ms(heard_of(here), sent_for(STORY)) + FADE_MS - held["data"]["played_ms"]) <= EXACT_MS
        )


def test_what_is_said_under_a_press_is_understood_and_answered() -> None:
    script = """
        [[utterance]]
        text = "what is seven plus five"
        pause_ms = 1200
    """
    words = ("--provider", "local", "--set", "turn.detection=none")
    with room() as here, Running(here, *words, "--audio", card(here, script)) as daemon:
        daemon.until(connection="up")
        daemon.data("talk", action="press")
        eventually(lambda: daemon.data("talk", action="press")["held_ms"] >= 4000)
        daemon.data("talk", action="release")
        asked = daemon.wait("user_transcript", final=True)["data"]
        answer = daemon.wait("assistant_transcript")["data"]

        assert (asked["text"], answer["heard"]) == ("what is seven plus five", "7 plus 5 is 12.")
        assert daemon.named("error") == []
