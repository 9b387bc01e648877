"""The commands of the IPC: a table of small handlers, one module a family.

A command arrives at the control socket and comes here as a `CommandCall`. The
`CommandService` looks its handler up in the table, calls it, and sees to it that
the ticket is answered exactly once. A handler returns one of three things:

* the reply, a dataclass of `ipc.contract.replies`: it goes out at once;
* a coroutine that returns the reply: it goes out when that is done, and other
  commands are answered meanwhile;
* `PassOn`: the conversation decides, and answers by the effect `ReplyTo` or `Refuse`.

A handler that can't do what was asked raises `CommandError`. Families:
`settings` (set, get, reload, volume), `devices` (devices, set-device), `status`
(hello, status, snapshot), `stats`, `history` (history, replay) and `conversation`,
which passes everything else on.

To add a command: declare it and its reply in `ipc.contract`, write its handler in
the module of its family, and name it in that module's `handlers`. Where a command
has no handler, the service refuses to be built.
"""
