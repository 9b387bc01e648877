"""The signals that the daemon understands.

SIGTERM and SIGINT ask for the end, as the command `stop` does. SIGHUP asks for the
configuration to be read again, as the command `reload` does, and the service
manager is told while that goes on. But a terminal that goes away sends SIGHUP as
well: a daemon that was started from it ends then, for nobody would see it any more.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

import structlog

from rtvoiced.app.event_fan_out import EventFanOut
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.app.settings_applier import SettingsApplier
from rtvoiced.conversation.inputs import Input, ShutdownAsked
from rtvoiced.errors import ConfigError
from rtvoiced.host.heartbeat import HeartbeatLoop
from rtvoiced.host.terminal import Terminal
from rtvoiced.ipc.contract import events as ipc

log = structlog.get_logger()


@dataclass(eq=False, repr=False)
class SignalHandlers:
    """What is done about each signal."""

    inputs: Mailbox[Input]
    terminal: Terminal
    heartbeat: HeartbeatLoop
    settings: SettingsApplier
    events: EventFanOut

    def install(self) -> None:
        """Take the signals from now on, in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _stop(self, number: signal.Signals) -> None:
        self.inputs.post(ShutdownAsked(number.name))

    def _hung_up(self) -> None:
        if self.terminal.hung_up():
            self._stop(signal.SIGHUP)
        else:
            self.heartbeat.reload(self._reload)

    def _reload(self) -> None:
        try:
            found = self.settings.reload()
        except ConfigError as error:
            self.events.publish(ipc.Error("bad_args", str(error)))
        else:
            log.info("reloaded", changed=found.changed, restart=found.restart)
