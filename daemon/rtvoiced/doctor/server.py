"""Looks at the server: whether it can be reached, and how long it takes to a session.

The session is opened by the daemon's own `Link` with the daemon's own configuration, so that what works here
works there. Nothing is said, and the server is asked for no response, so nothing is billed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.request
from urllib.parse import urlsplit

from rtvoiced.app.embedded_server import EmbeddedServer
from rtvoiced.app.session_config import session_config
from rtvoiced.doctor.findings import Finding, failure, ok
from rtvoiced.realtime import events
from rtvoiced.realtime.backoff import Backoff
from rtvoiced.realtime.endpoint import Endpoint, is_loopback
from rtvoiced.realtime.events import LinkConnecting, LinkFailed, LinkLost
from rtvoiced.realtime.link import Link
from rtvoiced.realtime.providers import Provider
from rtvoiced.settings.schema import Settings

REACH_S = 5.0
"""Seconds that the server may take to accept a connection."""
SESSION_S = 25.0
"""Seconds to a session: longer than the handshake, `session.created` and `session.updated` may take
together."""
PORTS = {"ws": 80, "wss": 443}
"""The port of a URL that names none."""


def look(config: Settings, provider: Provider) -> list[Finding]:
    """Connect as the daemon would, say nothing, and leave; return what was found."""
    return asyncio.run(_look(config, provider))


async def _look(config: Settings, provider: Provider) -> list[Finding]:
    if provider.endpoint is None:
        embedded = EmbeddedServer("error")
        try:
            return [await _session(config, provider, embedded)]
        finally:
            await embedded.stop()
    reached = await _reach(provider.endpoint)
    if reached.remedy:
        return [reached]
    return [reached, await _session(config, provider, provider.endpoint)]


async def _reach(endpoint: Endpoint) -> Finding:
    """Open a plain connection to the server: whether its name is known, and it answers."""
    parts = urlsplit(endpoint.url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if not is_loopback(endpoint.url) and urllib.request.getproxies().keys() & {"https", "socks", "all"}:
        return ok("server", f"{host}:{port}, through a proxy")
    begun = time.monotonic()
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        text = f"{host}:{port} does not answer within {REACH_S:.0f} s"
        return failure("server", text, "is this machine online? does a firewall hold it back?")
    except OSError as error:
        # socket.gaierror and asyncio's own errors tell the address again.
        reason = "its name is not known" if type(error).__name__ == "gaierror" else "connection refused"
        if not isinstance(error, ConnectionRefusedError) and reason != "its name is not known":
            reason = error.strerror or str(error)
        remedy = "is this machine online, and the address right?"
        return failure("server", f"{host}:{port} can't be reached: {reason}", remedy)
    took_ms = round(1000 * (time.monotonic() - begun))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ok("server", f"{host}:{port} is reached in {took_ms} ms")


async def _session(config: Settings, provider: Provider, at: Endpoint | EmbeddedServer) -> Finding:
    """Open a session and have it configured, by the link of the daemon itself."""
    found: asyncio.Future[Finding] = asyncio.get_running_loop().create_future()
    begun = time.monotonic()

    async def where() -> Endpoint:
        return at if isinstance(at, Endpoint) else await at.endpoint()

    def post(said: events.ServerEvent | LinkConnecting | LinkLost | LinkFailed) -> None:
        finding = None
        match said:
            case events.SessionCreated():
                link.send(events.UpdateSession(session_config(config, provider), "doctor"))
            case events.SessionUpdated():
                took_ms = round(1000 * (time.monotonic() - begun))
                finding = ok("session", f"{provider.model} is ready in {took_ms} ms")
            case events.ServerError(code, message):
                finding = failure("session", f"the server refuses: {code}: {message}", _remedy(code or ""))
            case LinkLost(reason) | LinkFailed(reason):
                finding = failure("session", reason, _remedy(reason))
            case _:
                pass
        if finding and not found.done():
            found.set_result(finding)

    link = Link(where, post, Backoff(config.link.retry_first_s, config.link.retry_max_s), config.link.ping_s)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(SESSION_S):
            return await found
    except TimeoutError:
        text = f"there is none within {SESSION_S:.0f} s"
        return failure("session", text, "is it a Realtime server, and the URL right?")
    finally:
        running.cancel()
        await asyncio.wait((running,))


def _remedy(reason: str) -> str:
    """Return what to do about a *reason* that the server or the link gave."""
    if "401" in reason or "api_key" in reason or "403" in reason:
        return "the key is not taken: rtctl service install --new-key, or mend the one in use"
    if "model" in reason or "404" in reason:
        return "is session.model, or azure.deployment, right?"
    if "quota" in reason or "429" in reason:
        return "the account has nothing left, or asks too often"
    if "embedded server" in reason:
        return "rtvoiced serve in a terminal shows why"
    return "rtctl reconnect tries again; see the server's own log"
