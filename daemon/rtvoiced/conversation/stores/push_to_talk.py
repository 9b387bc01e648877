"""The key of push-to-talk: pressed or not, since when, and what its releases still have coming. Pure.

Written by `PushToTalkHandler`, and by `ConnectionHandler` and `CommandHandler`
where a press ends with its session or with the daemon. While the key is pressed
the phase is ``Hearing(None)``, and only then.

Each release commits what was said. The server acknowledges that with
``committed``; a commit that is due is told apart by it from one of the server's
own VAD, which has to be answered differently.
"""

from __future__ import annotations

from rtvoiced.clocks import Monotonic
from rtvoiced.vocabulary import SpeechEnd


class PushToTalkStore:
    """The key, and the commits that are due."""

    def __init__(self) -> None:
        self._pressed_at: Monotonic | None = None
        self._ended: SpeechEnd | None = None
        self._commits_due = 0

    @property
    def pressed(self) -> bool:
        """The key is down."""
        return self._pressed_at is not None

    @property
    def ended(self) -> SpeechEnd | None:
        """Why the last press ended before its release; None where it did not."""
        return self._ended

    def held_s(self, now: Monotonic) -> float:
        """Return how long the key has been down, in seconds; 0 where it is up."""
        return now - self._pressed_at if self._pressed_at is not None else 0.0

    def held_ms(self, now: Monotonic) -> int:
        """Return how long the key has been down, in milliseconds; 0 where it is up."""
        return round(1000 * self.held_s(now))

    def press(self, now: Monotonic) -> None:
        """The key goes down."""
        self._pressed_at, self._ended = now, None

    def release(self) -> None:
        """The key goes up, and what was said is committed."""
        self._pressed_at = None
        self._commits_due += 1

    def end(self, reason: SpeechEnd) -> None:
        """The press ends by something else than its release, and nothing is committed."""
        self._pressed_at, self._ended = None, reason

    def commit_acknowledged(self) -> bool:
        """The server committed something, or refused to: return whether a release had that coming."""
        if not self._commits_due:
            return False
        self._commits_due -= 1
        return True

    def on_turn(self) -> None:
        """The server's VAD hears a turn: it has dealt with all that came before."""
        self._commits_due = 0

    def on_session_gone(self) -> None:
        """The session is over, and with it the press and all that was committed."""
        if self.pressed:
            self.end("link_lost")
        self._commits_due = 0

    def on_shutdown(self) -> None:
        """The daemon ends."""
        self._pressed_at = None
