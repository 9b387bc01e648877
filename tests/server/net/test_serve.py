"""The server as a process: its flags reach it, what it is refused is one line, nothing of it stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from rtvoiced import errors
from rtvoiced_server.net.random_ids import random_ids
from support.serving import (
    COMMAND,
    PATIENCE_S,
    Json,
    ask,
    children,
    event,
    eventually,
    frame,
    raw,
    send,
    served,
    talking,
    to_the_end,
    until,
    visiting,
    written,
)

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for children"),
]


def programs(pid: int) -> list[str]:
    """The command lines of a process's children."""
    found = []
    for child in children(pid):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


async def refused(*flags: str) -> tuple[int | None, str]:
    """The exit status of a server that does not start, and what it says."""
    child = await asyncio.create_subprocess_exec(
        *COMMAND, *flags, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, told = await child.communicate()
    return child.returncode, told.decode()


def test_flags_hold_for_every_connection_and_a_query_for_its_own() -> None:
    async def talk() -> tuple[list[str], list[str], str]:
        async with served("--late-deltas", "2", "--speed", "1", "--seed", "7") as (_, url):
            told = []
            for query in ("", "late_deltas=0"):
                async with talking(url, query) as websocket:
                    await ask(websocket, "tell me a long story")
                    await until(websocket, "response.output_audio.delta")
                    await send(websocket, "response.cancel")
                    told.append([one["type"] for one in await until(websocket, "response.done")])
            async with visiting(url) as websocket:
                return told[0], told[1], (await event(websocket))["session"]["id"]

    by_flag, by_query, session_id = asyncio.run(talk())
    delta = "response.output_audio.delta"
    assert (by_flag.count(delta), by_query.count(delta)) == (2, 0)
    assert session_id == random_ids("7 3").new("sess")  # The third connection of a run with this seed.


def test_only_who_has_the_key_comes_in(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-right\n")
    path.chmod(0o600)

    async def talk() -> tuple[int, str]:
        async with served("--key-file", str(path)) as (_, url):
            with pytest.raises(InvalidStatus) as refusal:
                async with visiting(url):
                    pass
            headers = {"Authorization": "Bearer sk-right"}
            async with visiting(url, additional_headers=headers) as websocket:
                return refusal.value.response.status_code, (await event(websocket))["type"]

    assert asyncio.run(talk()) == (401, "session.created")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-right")
    path.chmod(0o640)

    assert asyncio.run(refused("--key-file", str(path))) == (
        errors.CONFIG,
        f"rtvoiced serve: --key-file: {path} is open to others (0640); chmod 600 it\n",
    )


def test_a_folder_that_cannot_be_recorded_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert asyncio.run(refused("--record", str(tmp_path / "file"))) == (
        errors.CONFIG,
        f"rtvoiced serve: --record: cannot use {tmp_path / 'file'}: File exists\n",
    )


def test_an_address_of_another_computer_is_refused() -> None:
    assert asyncio.run(refused("--host", "192.0.2.1", "--port", "4711")) == (
        errors.UNAVAILABLE,
        "rtvoiced serve: cannot listen on 192.0.2.1:4711: Cannot assign requested address\n",
    )


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, told = asyncio.run(refused("--port", str(port)))

    assert status == errors.UNAVAILABLE
    assert told == f"rtvoiced serve: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_an_address_that_nobody_reads_is_one_clear_line() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            COMMAND, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    told = "rtvoiced serve: cannot write to standard output: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (errors.UNAVAILABLE, told)


def test_a_stdin_that_was_never_open_is_at_its_end() -> None:
    command = ("sh", "-c", 'exec "$0" "$@" <&-', *COMMAND, "--while-stdin")
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    assert (ended.returncode, ended.stderr) == (errors.OK, "")


def test_the_environment_says_where_to_record(tmp_path: Path) -> None:
    async def talk() -> None:
        record = {"RTVOICED_SERVE_RECORD": "~/r", "HOME": str(tmp_path)}
        async with served(environ=record) as (child, url), talking(url) as websocket:
            await send(websocket, "input_audio_buffer.clear")
            await event(websocket)
            # A line is there as soon as it was sent.
            child.kill()
            await child.wait()

    asyncio.run(talk())
    (path,) = (tmp_path / "r").iterdir()
    events: list[Json] = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert [one["type"] for one in events] == [
        "session.created",
        "input_audio_buffer.clear",
        "input_audio_buffer.cleared",
    ]


def test_without_a_key_the_network_is_warned_of() -> None:
    async def start() -> str:
        child = await asyncio.create_subprocess_exec(
            *COMMAND,
            "--host",
            "0.0.0.0",
            "--while-stdin",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        await child.stdout.readline()
        assert child.stdin is not None
        child.stdin.close()
        return (await child.communicate())[1].decode()

    assert '"event": "open_to_the_network"' in asyncio.run(start())


def test_it_ends_in_time_even_when_somebody_reads_nothing() -> None:
    async def talk() -> tuple[int, int | None]:
        async with served() as (child, url), talking(url) as websocket:
            deaf = await raw(url)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while True:
                        await asyncio.get_running_loop().sock_sendall(deaf, frame(1, b"{}") * 1_000)
            child.terminate()
            _, code, _ = await to_the_end(websocket)
            status = await child.wait()
            deaf.close()
            return status, code

    assert asyncio.run(talk()) == (errors.OK, 1001)


def test_a_cancelled_answer_stops_the_program_that_speaks_it(tmp_path: Path) -> None:
    (tmp_path / "flite").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "flite").chmod(0o755)
    slow = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def speaking(pid: int) -> bool:
        return any(line.startswith("sleep") for line in programs(pid))

    async def talk() -> list[str]:
        async with served(environ=slow) as (child, url), talking(url) as websocket:
            await ask(websocket, "hello")
            await until(websocket, "response.content_part.added")
            await eventually(lambda: speaking(child.pid))
            await send(websocket, "response.cancel")
            told = await until(websocket, "response.done")
            await eventually(lambda: not speaking(child.pid))
            return [one["type"] for one in told]

    assert asyncio.run(talk())[-1] == "response.done"


def test_a_program_that_cannot_be_started_fails_the_answer_and_not_the_session(tmp_path: Path) -> None:
    (tmp_path / "flite").write_text("#!/nonsense\n")
    (tmp_path / "flite").chmod(0o755)
    broken = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    async def talk() -> tuple[Json, str]:
        async with served(environ=broken) as (_, url), talking(url) as websocket:
            await ask(websocket, "hello")
            done = (await until(websocket, "response.done"))[-1]["response"]
            await until(websocket, "rate_limits.updated")
            return done["status_details"], await written(websocket)

    message = f"cannot speak: {tmp_path / 'flite'}: No such file or directory"
    failure = {"type": "server_error", "code": "server_error", "message": message}
    details = {"type": "failed", "error": failure}
    assert asyncio.run(talk()) == (details, "Hello! What can I do for you?")
