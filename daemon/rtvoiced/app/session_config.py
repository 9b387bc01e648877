"""What the settings mean for a session: what is asked of the server, and who may interrupt.

`build` makes the first session of these, `SettingsApplier` changes the running one,
and the doctor opens a session of its own with them.
"""

from __future__ import annotations

from rtvoiced.conversation.policy import CLIENT_MANAGED, InterruptionRules
from rtvoiced.realtime.events import SessionConfig
from rtvoiced.realtime.providers import Provider
from rtvoiced.settings.schema import Settings


def session_config(settings: Settings, provider: Provider) -> SessionConfig:
    """Return what is asked of a session with *provider*."""
    return SessionConfig(
        voice=provider.voice,
        instructions=settings.session.instructions,
        language=settings.session.language,
        speed=settings.session.speed,
        transcription=settings.session.transcription or None,
        detection=settings.turn.detection,
        threshold=settings.turn.threshold,
        prefix_ms=settings.turn.prefix_ms,
        silence_ms=settings.turn.silence_ms,
        eagerness=settings.turn.eagerness,
        client_managed_turns=settings.interruption.policy in CLIENT_MANAGED,
    )


def interruption_rules(settings: Settings) -> InterruptionRules:
    """Return who may interrupt the assistant, and how long a hold and its decision may take."""
    given = settings.interruption
    return InterruptionRules(given.policy, given.hold_ms, given.hold_max_ms, given.speech_ms)
