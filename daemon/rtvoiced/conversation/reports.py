"""How errors and cuts are put into words for subscribers and clients. Pure.

Plain functions from facts to messages of the IPC contract, called by handlers
and stores. The codes of the Realtime protocol become those of the contract
here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtvoiced.conversation.effects import Effect, Refuse
from rtvoiced.conversation.inputs import Cut
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract import replies
from rtvoiced.realtime.events import FATAL_CODES

BY_VOICE = frozenset({"server_vad", "local_vad"})
"""Causes of a cut for which it is measured how long after the voice it came."""


@dataclass(frozen=True, slots=True)
class CutLatency:
    """How long one cut took, in milliseconds."""

    onset_to_decision: float | None
    """From the first sound of the voice to the decision; None while there is no VAD of our own."""
    decision_to_silence: float
    """From the decision to the last audible sample."""


def not_connected(ticket: int, status: str, reason: str | None) -> Effect:
    """Return the reply to a command that needs a session."""
    because = f": {reason}" if reason else ""
    message = f"no session with the server ({status}{because})"
    return Refuse(ticket, "not_connected", message, retryable=True)


def late(message: str, details: dict[str, str] | None = None) -> ipc.Error:
    """Return the error that tells that something did not come in time."""
    return ipc.Error("timeout", message, retryable=True, details=dict(details or {}))


DISOBEYS = "the server goes on interrupting by itself (interrupt_response stays true)"


def disobeyed(policy: str) -> ipc.Error:
    """Return the error that tells that the server interrupts, though that was to be ours."""
    message = f"interruption.policy = {policy} can't be kept, and server is in force: {DISOBEYS}"
    return ipc.Error("not_allowed", message, details={"key": "interruption.policy"})


CODES = {
    "inference_rate_limit_exceeded": "rate_limited",
    "invalid_api_key": "auth_failed",
    "rate_limit_exceeded": "rate_limited",
    "server_error": "internal",
    "session_expired": "not_connected",
}
"""Codes of the Realtime protocol → codes of the IPC contract; what it refuses of ours is our bug."""
RETRYABLE = frozenset({"rate_limited", "not_connected"})


def server_error(code: str | None, message: str, details: Mapping[str, Any]) -> ipc.Error:
    """Return the error that tells of a server's error; its own code stands in the details."""
    ours = CODES.get(code or "", "not_allowed" if code in FATAL_CODES else "internal")
    retryable = ours in RETRYABLE or code == "server_error"
    return ipc.Error(ours, message, retryable, {**details, "server_code": code})


def interrupt_event(cut: Cut, latency: CutLatency) -> ipc.Interrupt:
    """Return the event that tells of a cut: of the item that was audible, or came next."""
    first = cut.heard.parts[0]
    return ipc.Interrupt(
        cause=cut.cause,
        response_id=first.part.response_id,
        item_id=first.part.item_id,
        played_ms=first.played_ms,
        dropped_ms=cut.heard.dropped_ms,
        onset_to_decision_ms=latency.onset_to_decision,
        decision_to_silence_ms=latency.decision_to_silence,
        request=cut.request,
    )


def interrupt_reply(cut: Cut, *, cancelled: bool) -> replies.InterruptReply:
    """Return the reply to `interrupt`; no item where only a response not yet audible was cancelled."""
    parts = cut.heard.parts
    audible = parts[0] if parts and parts[0].played_ms else None
    return replies.InterruptReply(
        interrupted=bool(parts) or cancelled,
        item_id=audible.part.item_id if audible else None,
        played_ms=audible.played_ms if audible else 0,
        dropped_ms=cut.heard.dropped_ms,
    )
