"""rtctl, the command that talks to rtvoiced, and the client library that other programs import.

`rtctl.client.Client` is for threads, `rtctl.aio.AsyncClient` for asyncio, and
`rtctl.follow` has what both yield of the events. `cli` is the command itself,
`service` installs and watches the daemon as a service.
"""
