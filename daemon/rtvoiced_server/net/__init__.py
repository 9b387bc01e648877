"""The sockets of the embedded server: who is let in, what goes over the wire and when, faults, recordings.

`listener` opens the server and gives each connection a session; `handshake` decides
who is let in; `connection` carries out what the session wants done. The options of
a connection stand in `options`, and `faults` and `dialects` change what goes out.
This folder may import all others; none imports it.
"""
