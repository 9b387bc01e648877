"""The IPC contract (docs/ipc.md): what the daemon and other programs say to each other.

`commands` and `events` declare every message once, by the decorators of
`declaration`. `fields` reads the declarations, `arguments` holds requests
against them, `protocol` puts messages on the wire and reads them,
`schema` makes a JSON Schema of each. Everything here is pure and needs
nothing but the standard library, so that rtctl's client library can stand on
it without the rest of the daemon.
"""
