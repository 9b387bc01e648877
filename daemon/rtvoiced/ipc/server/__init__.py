"""The daemon's two sockets, and the directory where they are.

`control` takes commands and `publisher` sends events; both are used by the
daemon's loop alone and never wait for a client. `runtime` claims the
directory, `sockets` is what the two have in common, and `ring` keeps the
events that a client may ask for again.
"""
