"""Tokens by kind: what servers send, flat, and the run's sums."""

from __future__ import annotations

from typing import Any

from rtvoiced.conversation.stores.usage import KINDS, flat
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.realtime import events
from support.histories import LISTENING, THINKING, after, ask, done, published

OPENAI: dict[str, Any] = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
FLAT = {
    "total": 253,
    "input": 132,
    "input_text": 119,
    "input_audio": 13,
    "input_image": 0,
    "input_cached": 64,
    "input_cached_text": 60,
    "input_cached_audio": 4,
    "output": 121,
    "output_text": 30,
    "output_audio": 91,
}


def only(**counts: int) -> dict[str, int]:
    return dict.fromkeys(KINDS, 0) | counts


def test_cached_tokens_are_a_part_of_the_input_and_never_added_to_it() -> None:
    told = flat(OPENAI)

    assert told == FLAT
    assert told["total"] == told["input"] + told["output"]
    assert told["input"] == told["input_text"] + told["input_audio"] + told["input_image"]


def test_what_a_server_leaves_out_is_nothing() -> None:
    assert flat({"input_tokens": 7, "output_tokens": 5}) == only(total=12, input=7, output=5)
    assert flat({"total_tokens": "many", "input_token_details": None}) == only()


def test_usage_follows_each_response_and_sums_up() -> None:
    conversation = after(*THINKING)

    assert published(conversation.handle(done("r1", usage=OPENAI), now=1.0))[-1] == ipc.Usage(
        "r1", FLAT, FLAT
    )
    conversation.handle(events.ResponseCreated("r2", None), now=2.0)
    small = {"input_tokens": 1, "output_tokens": 2}
    assert published(conversation.handle(done("r2", usage=small), now=3.0))[-1] == ipc.Usage(
        "r2", only(total=3, input=1, output=2), FLAT | {"total": 256, "input": 133, "output": 123}
    )


def test_response_without_usage_has_no_such_event() -> None:
    told = published(after(*THINKING).handle(done("r1"), now=1.0))

    assert [each for each in told if isinstance(each, ipc.Usage)] == []


def test_what_a_cut_answer_cost_counts_once() -> None:
    conversation = after(*LISTENING, ask(), events.ResponseCreated("r1", "q1"), events.SpeechStarted("u1", 0))
    told = published(conversation.handle(done("r1", "cancelled", usage=OPENAI), now=1.0))

    assert told[-1] == ipc.Usage("r1", FLAT, FLAT)
    assert published(conversation.handle(done("r1", "cancelled", usage=OPENAI), now=1.0)) == []
