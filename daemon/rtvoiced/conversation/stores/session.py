"""The session with the server: whether there is one, which, and what a new one is told. Pure.

Written by `ConnectionHandler`. The link tells that it connects, is lost, or has
failed; the server tells that a session is there (``session.created``) and that
it is configured (the first ``session.updated``). Only then is the session up:
until then it runs on the server's defaults and hears nothing of us.

How it is configured is kept by a `ConfigurationStore`, whose facts are read
here: `config`, `rules`, `voice`, `detection`, `client_managed_turns`.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic, WallClock
from rtvoiced.conversation.effects import ClearTimer, DropLink, Effect, FailLink, Publish, SendEvent
from rtvoiced.conversation.policy import InterruptionRules
from rtvoiced.conversation.stores.configuration import ConfigurationStore
from rtvoiced.conversation.stores.history import HistoryStore
from rtvoiced.conversation.timers import Timer
from rtvoiced.ipc.contract import events as ipc
from rtvoiced.ipc.contract import replies
from rtvoiced.realtime import events
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost
from rtvoiced.vocabulary import ConnectionStatus, Detection


class Session:
    """The facts about the link and its session."""

    def __init__(
        self, config: events.SessionConfig, provider: str, model: str, rules: InterruptionRules
    ) -> None:
        self.configuration = ConfigurationStore(config, rules)
        self.provider = provider
        self.model = model
        self.status: ConnectionStatus = "connecting"
        self.reason: str | None = None
        """Why it is not up, where that is known."""
        self.number = 0
        """Counts sessions: ids of an earlier one mean nothing to the server."""
        self.input_hz = self.output_hz = 24_000
        """The rates at which the server takes and gives audio."""
        self._attempt = 0
        self._session_id: str | None = None
        self._expires_at: WallClock | None = None
        self._reconnect: str | None = None
        """The id of the command `reconnect` that asked for the session to come."""

    @property
    def up(self) -> bool:
        """Whether the server has taken our configuration."""
        return self.status == "up"

    @property
    def config(self) -> events.SessionConfig:
        """How it is configured."""
        return self.configuration.config

    @property
    def rules(self) -> InterruptionRules:
        """Who may interrupt, as configured."""
        return self.configuration.rules

    @property
    def voice(self) -> str:
        """The voice in force."""
        return self.configuration.voice

    @property
    def detection(self) -> Detection:
        """What tells the server when a turn begins: ``none`` is nothing."""
        return self.configuration.detection

    @property
    def client_managed_turns(self) -> bool:
        """The server's VAD neither creates nor interrupts responses: both are ours."""
        return self.configuration.client_managed_turns

    # ------------------------------------------------------------------------ it comes

    def on_connecting(self, link: LinkConnecting) -> list[Effect]:
        """Know that the link tries to reach the server."""
        self.status, self.reason, self._attempt = "connecting", None, link.attempt
        return [*self._end(), self._publish()]

    def on_created(self, event: events.SessionCreated, now: Monotonic) -> list[Effect]:
        """Configure a new session first of all; it takes the place of one that was up."""
        effects: list[Effect] = []
        if self.up:
            self.status = "connecting"
            effects = [*self._end(), self._publish()]
        self.number += 1
        self._session_id, self._expires_at = event.session_id, _unix(event.expires_at)
        return [*effects, *self.configuration.send(now)]

    def on_updated(self, event: events.SessionUpdated, now: Monotonic) -> list[Effect]:
        """Take what the server runs with: the first opens the session, a later one changed it."""
        if self.up:
            return self.configuration.on_changed(event, now)
        if not self.configuration.awaited:
            return []
        self._session_id = event.session_id or self._session_id
        self._expires_at = _unix(event.expires_at) or self._expires_at
        self.model = event.model or self.model
        self.input_hz, self.output_hz = event.input_hz, event.output_hz
        self.status, self.reason, self._attempt = "up", None, 0
        request, self._reconnect = self._reconnect, None
        return [
            ClearTimer(Timer.CONFIGURE),
            self._publish(request=request),
            *self.configuration.begin(event, now),
        ]

    def seed(self, history: HistoryStore) -> list[Effect]:
        """Tell a new session what was said; the items get ids that it knows."""
        effects: list[Effect] = []
        for count, item in enumerate(history.seeds()):
            item.rename(f"seed_{self.number}_{count}")
            effects.append(SendEvent(events.CreateItem(item.item_id, item.role, item.known)))
        return effects

    def on_reconnect(self, request_id: str | None) -> None:
        """Know who asked for the session to come."""
        self._reconnect = request_id

    # ------------------------------------------------------------------------ it goes

    def on_lost(self, link: LinkLost) -> list[Effect]:
        """Know that there is no session any more; the link tries again by itself."""
        self.status, self.reason, self._attempt = "lost", link.reason, link.attempt
        return [*self._end(), self._publish(retry_in_s=link.retry_in_s)]

    def on_failed(self, link: LinkFailed) -> list[Effect]:
        """Know that there will be no session until somebody acts."""
        self.status, self.reason = "failed", link.reason
        request, self._reconnect = self._reconnect, None
        error = ipc.Error(link.code, link.reason, details={"request": request} if request else {})
        return [*self._end(), self._publish(retry_in_s=link.retry_in_s, request=request), Publish(error)]

    def on_error(self, error: events.ServerError, now: Monotonic) -> list[Effect] | None:
        """Return what follows from an error that concerns the session itself; None for any other."""
        if error.code in events.FATAL_CODES:
            return [FailLink(f"{error.code}: {error.message}")]
        effects = self.configuration.on_error(error, now)
        if effects is None and error.code == "session_expired":
            return [DropLink("session_expired")]
        return effects

    # ---------------------------------------------------------------------- it is shown

    def connection_status(self, since: WallClock) -> replies.ConnectionStatus:
        """Return what `status` tells of the connection, whose status is the same *since* then."""
        return replies.ConnectionStatus(
            status=self.status,
            provider=self.provider,
            model=self.model,
            voice=self.voice,
            session_id=self._session_id,
            since=since,
            attempt=self._attempt,
            expires_at=self._expires_at,
            reason=self.reason,
        )

    def _end(self) -> list[Effect]:
        self._session_id, self._expires_at = None, None
        return self.configuration.end()

    def _publish(self, retry_in_s: float | None = None, request: str | None = None) -> Effect:
        return Publish(
            ipc.Connection(
                status=self.status,
                reason=self.reason,
                attempt=self._attempt,
                retry_in_s=retry_in_s,
                session_id=self._session_id,
                expires_at=self._expires_at,
                request=request or self._reconnect,
            )
        )


def _unix(seconds: float | None) -> WallClock | None:
    return None if seconds is None else WallClock(seconds)
