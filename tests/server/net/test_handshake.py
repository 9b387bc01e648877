"""Who is let in, to what, and with what words the others are turned away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.datastructures import Headers

from rtvoiced_server.net.handshake import Admission, AdmittedClient
from rtvoiced_server.net.options import ConnectionOptions, Quirk
from rtvoiced_server.net.refusals import CLOSE_REASONS, HandshakeError, SocketClose

KEY = "sk-right"
LOCKED = Admission(key=KEY)
BETA = {"OpenAI-Beta": "realtime=v1"}


def admit(target: str = "/v1/realtime", door: Admission | None = None, **headers: str) -> AdmittedClient:
    return (door or Admission()).admit(
        target, Headers({key.replace("_", "-"): each for key, each in headers.items()})
    )


def refusal(target: str = "/v1/realtime", door: Admission | None = None, **headers: str) -> tuple[int, Any]:
    with pytest.raises(HandshakeError) as refused:
        admit(target, door, **headers)
    return refused.value.status, json.loads(refused.value.body())["error"]


@pytest.mark.parametrize(
    ("target", "model", "dialect"),
    [
        ("/v1/realtime", "rtvoice-local", "ga"),
        ("/v1/realtime?model=gpt-realtime-2.1", "gpt-realtime-2.1", "ga"),
        ("/v1/realtime?model=m&something=else", "m", "ga"),
        ("/v1/realtime?model=m&dialect=beta", "m", "beta"),
        ("/openai/v1/realtime?model=mine", "mine", "ga"),
        ("/openai/v1/realtime?model=mine&api-version=preview", "mine", "ga"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=d", "d", "beta"),
        ("/openai/realtime?api-version=2024-10-01-preview&deployment=d&dialect=ga", "d", "ga"),
    ],
)
def test_the_url_says_which_model_and_which_dialect(target: str, model: str, dialect: str) -> None:
    visit = admit(target)
    assert (visit.model, visit.dialect) == (model, dialect)


@pytest.mark.parametrize(
    ("headers", "dialect"),
    [
        ({}, "ga"),
        ({"OpenAI_Beta": "realtime=v1"}, "beta"),
        ({"OpenAI_Beta": "assistants=v2, realtime=v1"}, "beta"),
        ({"OpenAI_Beta": "assistants=v2"}, "ga"),
        ({"Sec_WebSocket_Protocol": "realtime, openai-insecure-api-key.k, openai-beta.realtime-v1"}, "beta"),
        ({"Sec_WebSocket_Protocol": "realtime, openai-insecure-api-key.k"}, "ga"),
    ],
)
def test_the_beta_is_asked_for_by_header_or_subprotocol(headers: dict[str, str], dialect: str) -> None:
    assert admit(door=Admission(), **headers).dialect == dialect


def test_another_path_is_not_found_and_named() -> None:
    status, error = refusal("/v2/nothing?x=1")
    assert (status, error["type"]) == (404, "invalid_request_error")
    assert error["message"] == "Invalid URL (GET /v2/nothing). The Realtime API is at /v1/realtime."


@pytest.mark.parametrize(
    ("target", "param"),
    [
        ("/openai/realtime?deployment=d", "api-version"),
        ("/openai/realtime?api-version=2025-04-01-preview", "deployment"),
    ],
)
def test_azures_dated_path_wants_its_parameters(target: str, param: str) -> None:
    status, error = refusal(target)
    assert (status, error["code"], error["param"]) == (400, "missing_required_parameter", param)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer   {KEY} "},
        {"api_key": KEY},
        {"Sec_WebSocket_Protocol": f"realtime, openai-insecure-api-key.{KEY}"},
    ],
)
def test_the_right_key_is_taken_by_every_way(headers: dict[str, str]) -> None:
    assert admit(door=LOCKED, **headers).dialect == "ga"


def test_azures_key_may_stand_in_the_query() -> None:
    assert admit(f"/v1/realtime?api-key={KEY}", LOCKED).model == "rtvoice-local"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "You didn't provide an API key."),
        ({"Authorization": f"Basic {KEY}"}, "You didn't provide an API key."),
        ({"Authorization": "Bearer sk-wrong"}, "Incorrect API key provided."),
        ({"Authorization": f"Bearer {KEY}x"}, "Incorrect API key provided."),
        ({"api_key": "schlüssel"}, "Incorrect API key provided."),
        (
            {"Sec_WebSocket_Protocol": "realtime, openai-insecure-api-key.sk-wrong"},
            "Incorrect API key provided.",
        ),
    ],
)
def test_a_wrong_key_or_none_is_refused_as_openai_does(headers: dict[str, str], message: str) -> None:
    status, error = refusal(door=LOCKED, **headers)
    assert status == 401
    assert error == {
        "message": message,
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


def test_without_a_key_file_every_key_is_good_or_none() -> None:
    assert admit() == admit(Authorization="Bearer whatever")


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "https://localhost",
        "http://127.0.0.1:8080",
        "http://127.1.2.3",
        "http://[::1]:5000",
    ],
)
def test_pages_of_this_computer_may_come_in(origin: str) -> None:
    assert admit(Origin=origin).dialect == "ga"


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.org",
        "http://localhost.example.org",  # A name that is led here by its owner's DNS.
        "http://192.168.1.5:3000",
        "null",  # A sandboxed frame of any site.
        "file://",
        "chrome-extension://abcdef",
        "http://[",
        "",
    ],
)
def test_pages_of_other_sites_may_not(origin: str) -> None:
    status, error = refusal(Origin=origin)
    assert (status, error["code"]) == (403, "origin_not_allowed")
    assert "--allow-origin" in error["message"]


def test_a_site_that_is_allowed_and_one_that_knows_the_key_may() -> None:
    allowed = Admission(origins=frozenset({"https://example.org"}))

    assert admit(door=allowed, Origin="https://example.org") == admit()
    assert admit(door=LOCKED, Origin="https://example.org", Authorization=f"Bearer {KEY}") == admit()


def test_the_query_wins_over_the_flags_of_the_server() -> None:
    door = Admission(ConnectionOptions(late_deltas=3, speed=1.0, quirks=frozenset({Quirk.PING})))
    assert admit("/v1/realtime?speed=2&late_deltas=0", door).options == ConnectionOptions(
        speed=2.0, quirks=frozenset({Quirk.PING})
    )
    assert admit("/v1/realtime?quirk=no-created", door).options.quirks == {Quirk.NO_CREATED}


@pytest.mark.parametrize(
    ("query", "param", "message"),
    [
        ("late_deltas=x", "late_deltas", "it wants a whole number from 0 to 1000, not 'x'."),
        ("late_deltas=-1", "late_deltas", "it wants a whole number from 0 to 1000, not '-1'."),
        ("late_deltas=", "late_deltas", "it wants a whole number from 0 to 1000, not ''."),
        ("speed=0", "speed", "it wants a number from 0.1 to 1000, not '0'."),
        ("speed=nan", "speed", "it wants a number from 0.1 to 1000, not 'nan'."),
        ("speed=1&speed=fast", "speed", "it wants a number from 0.1 to 1000, not 'fast'."),
        ("session_cap=inf", "session_cap", "it wants a number from 0.1 to 86400, not 'inf'."),
        ("no_done=maybe", "no_done", "it wants 1 or 0, not 'maybe'."),
        ("seed=1.5", "seed", f"it wants a whole number from 0 to {2**63 - 1}, not '1.5'."),
        ("dialect=alpha", "dialect", "it wants ga or beta, not 'alpha'."),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(query: str, param: str, message: str) -> None:
    status, error = refusal(f"/v1/realtime?{query}")
    assert (status, error["code"], error["param"]) == (400, "invalid_value", param)
    assert error["message"] == f"Invalid value for '{param}': {message}"


def test_an_unknown_quirk_or_refusal_is_told_what_there_is() -> None:
    assert "string-error, ping" in refusal("/v1/realtime?quirk=nope")[1]["message"]
    assert "insufficient_quota" in refusal("/v1/realtime?refuse=200")[1]["message"]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", "missing_model"),
        (401, "invalid_request_error", "invalid_api_key"),
        (403, "invalid_request_error", None),
        (404, "invalid_request_error", "model_not_found"),
        (418, "invalid_request_error", None),
        (429, "invalid_request_error", "rate_limit_exceeded"),
        (499, "invalid_request_error", None),
        (500, "server_error", "server_error"),
        (503, "server_error", None),
        (599, "server_error", None),
    ],
)
def test_every_http_error_can_be_had(status: int, kind: str, code: str | None) -> None:
    found, error = refusal(f"/v1/realtime?model=m1&refuse={status}")
    assert (found, error["type"], error["code"], error["param"]) == (status, kind, code, None)
    assert error["message"]


def test_a_model_that_is_not_found_is_named() -> None:
    error = refusal("/v1/realtime?model=m1&refuse=404")[1]
    assert error["message"] == "The model `m1` does not exist or you do not have access to it."


@pytest.mark.parametrize("code", [*CLOSE_REASONS, 3001, 4999])
def test_every_close_code_can_be_had(code: int) -> None:
    visit = admit(f"/v1/realtime?refuse={code}")
    assert visit.options.refuse == SocketClose(code, CLOSE_REASONS.get(code, ""))


@pytest.mark.parametrize("word", ["insufficient_quota", "model_not_found", "credit_balance_exhausted"])
def test_an_error_code_closes_with_4000(word: str) -> None:
    assert admit(f"/v1/realtime?refuse={word}").options.refuse == SocketClose(
        4000, f"invalid_request_error.{word}"
    )
