"""What the embedded server answers: simple rules on text, and no intelligence.

The folder is pure: it does no I/O, makes no arrays, reads no clock and knows
nothing of sessions or sockets. `rtvoiced_server.protocol` hands it the
conversation as a chat (`chat`) and gets a plan back: say this text, have these
tools called, or fail (`replies`).
"""
