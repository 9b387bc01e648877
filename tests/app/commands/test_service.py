"""Each command is answered once: at once, later, or when the conversation has decided."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import zmq

from rtvoiced.app.commands import conversation as conversation_commands
from rtvoiced.app.commands.calls import CommandCall, Handlers, PassOn, call_of
from rtvoiced.app.commands.service import CommandService
from rtvoiced.app.lifetime import Lifetime
from rtvoiced.app.mailbox import Mailbox
from rtvoiced.conversation.inputs import Commanded, Input
from rtvoiced.errors import INTERNAL, CommandError
from rtvoiced.host.notify import ServiceNotifier
from rtvoiced.ipc.contract import commands
from rtvoiced.ipc.contract.commands import COMMANDS
from rtvoiced.ipc.contract.replies import GetReply, MuteReply, VolumeReply
from rtvoiced.ipc.server.control import Control
from support.small_daemon import short_dir


def unused(_call: CommandCall[Any]) -> VolumeReply:
    raise AssertionError("no test asks for this")


@dataclass
class Asked:
    """A service behind a real socket, and a client that asks it."""

    service: CommandService
    inputs: Mailbox[Input]
    lifetime: Lifetime
    client: zmq.Socket[bytes]

    async def ask(self, command: str, **args: Any) -> dict[str, Any]:
        """Return the reply, which must be the only one."""
        request = uuid.uuid4().hex
        self.client.send_json({"id": request, "command": command, "args": args})
        async with asyncio.timeout(20):
            while not self.client.poll(0):  # noqa: ASYNC110 - a plain socket wakes no task
                await asyncio.sleep(0.001)
        reply: dict[str, Any] = self.client.recv_json()  # type: ignore[assignment]
        assert reply["id"] == request
        return reply


@contextmanager
def serving(handlers: Handlers) -> Iterator[Asked]:
    """Yield a service with these handlers; the others are there and must not be called."""
    with short_dir() as directory, zmq.Context() as context, context.socket(zmq.REQ) as client:
        calls: Mailbox[CommandCall[Any]] = Mailbox()
        inputs: Mailbox[Input] = Mailbox()
        lifetime = Lifetime(ServiceNotifier({}))
        control = Control(
            context,
            directory / "control.sock",
            lambda ticket, request: calls.post(call_of(ticket, request)),
            lambda: ("9f3a61c2", 0),
        )
        every: Handlers = dict.fromkeys(COMMANDS.values(), unused)
        client.set(zmq.LINGER, 0)
        client.connect(f"ipc://{directory / 'control.sock'}")
        try:
            yield Asked(
                CommandService(calls, control, {**every, **handlers}, inputs, lifetime),
                inputs,
                lifetime,
                client,
            )
        finally:
            control.close()


def data(reply: dict[str, Any]) -> Any:
    assert reply["ok"], reply
    return reply["data"]


def test_a_command_without_a_handler_is_a_bug_that_is_told_at_the_start() -> None:
    async def main() -> None:
        handlers = conversation_commands.handlers()
        with pytest.raises(TypeError, match=r"no handler for devices, get, .*volume"):
            CommandService(Mailbox(), None, handlers, Mailbox(), None)  # type: ignore[arg-type]

    asyncio.run(main())


def test_a_handlers_reply_goes_out_at_once_and_its_refusal_too() -> None:
    def volume(call: CommandCall[commands.Volume]) -> VolumeReply:
        if call.command.percent is None:
            raise CommandError("not_allowed", "not today")
        return VolumeReply(call.command.percent)

    async def main() -> None:
        with serving({commands.Volume: volume}) as here:
            assert data(await here.ask("volume", percent=40)) == {"percent": 40}
            assert (await here.ask("volume"))["error"]["code"] == "not_allowed"

    asyncio.run(main())


def test_a_slow_handler_is_answered_when_it_is_done() -> None:
    async def volume(call: CommandCall[commands.Volume]) -> VolumeReply:
        await asyncio.sleep(0)
        if call.command.percent is None:
            raise CommandError("timeout", "too slow")
        return VolumeReply(call.command.percent)

    async def main() -> None:
        with serving({commands.Volume: volume}) as here:
            assert data(await here.ask("volume", percent=7)) == {"percent": 7}
            assert (await here.ask("volume"))["error"]["code"] == "timeout"

    asyncio.run(main())


def test_a_bug_in_a_slow_handler_ends_the_daemon() -> None:
    async def volume(_call: CommandCall[commands.Volume]) -> VolumeReply:
        raise RuntimeError("a bug, on purpose")

    async def main() -> None:
        with serving({commands.Volume: volume}) as here:
            here.client.send_json({"command": "volume", "args": {}})
            async with asyncio.timeout(20):
                assert await here.lifetime.ended() == INTERNAL

    asyncio.run(main())


@pytest.mark.parametrize("carried_out", [True, False])
def test_the_conversation_answers_what_is_passed_on_and_the_handler_is_told_first(carried_out: bool) -> None:
    told: list[bool] = []

    def mute(call: CommandCall[commands.Mute]) -> PassOn:
        return PassOn(Commanded(call.ticket, call.request_id, call.command), told.append)

    async def main() -> dict[str, Any]:
        with serving({commands.Mute: mute}) as here:

            def decide() -> None:
                happened = here.inputs.take()
                assert isinstance(happened, Commanded)
                if carried_out:
                    here.service.reply(happened.ticket, MuteReply(True, None, True))
                else:
                    here.service.refuse(happened.ticket, CommandError("busy", "later"))

            here.inputs.taken_by(decide)
            return await here.ask("mute", mode="on")

    reply = asyncio.run(main())

    assert (reply["ok"], told) == (carried_out, [carried_out])


def test_another_commands_reply_is_a_bug() -> None:
    def wrong(_call: CommandCall[Any]) -> GetReply:
        return GetReply("a.b", 1, "default")

    async def main() -> None:
        failed: list[BaseException] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: failed.append(context["exception"]))
        with serving({commands.Volume: wrong}) as here:
            assert (await here.ask("volume"))["error"]["code"] == "internal"
        assert [type(each) for each in failed] == [TypeError]

    asyncio.run(main())
