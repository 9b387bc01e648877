"""The embedded Realtime server, ``rtvoiced serve``: a program of its own.

It hears a few dozen commands, answers by simple rules and speaks with flite's
voices; on the wire it behaves like OpenAI's Realtime API. docs/server.md says what
it does, and which folder may import which. The daemon starts it as a child process
and imports nothing of it.
"""
