"""One session of the Realtime protocol (GA): client events in, outputs out."""
