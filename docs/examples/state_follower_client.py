"""Print what the daemon does, now and at each change, also over its restarts: with the client library."""

from rtctl.client import Client
from rtctl.follow import Event, Gone, Snapshot

with Client() as client:
    for item in client.events("state", snapshot=True, patient=True):
        match item:
            case Snapshot(status):
                print(status.conversation, "muted" if status.muted else "open", flush=True)
            case Event("state", data):
                print(data["conversation"], "muted" if data["muted"] else "open", flush=True)
            case Gone(reason):
                print("gone:", reason, flush=True)
