"""The Realtime protocol: its events, the dialects that servers speak, and the link to a server."""
