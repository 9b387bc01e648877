"""What the events of both clients are, under the name that programs import: ``rtctl.follow.Event``."""

from rtctl.client.follow import Back, Event, Gap, Gone, Item, Restarted, Snapshot

__all__ = ["Back", "Event", "Gap", "Gone", "Item", "Restarted", "Snapshot"]
