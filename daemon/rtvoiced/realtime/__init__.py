"""The Realtime protocol: events, dialects and the link to a server."""
