"""Builds the daemon: every object of the process is made in this package, and nowhere else.

`process.run` is what `rtvoiced` does when it is asked for nothing else. The objects are
made in the order in which they need each other, and each is handed to those that
stand on it:

| module | what it makes |
|---|---|
| `launch` | nothing: what was asked for, and what of the machine a test puts its own in place of |
| `process` | the lock on the directory, the loop, the context of the sockets |
| `core` | settings, conversation, playback queue, publisher, lifetime: many stand on them |
| `sound` | audio thread, card, uplink, the watch for missing devices |
| `commands` | command socket, table of handlers, command service |
| `daemon` | link, events, effects, signals, and the daemon itself |

Where two parts need each other, a `Mailbox` stands between them.
"""
