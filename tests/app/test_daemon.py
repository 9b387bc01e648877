"""The form of the daemon: few collaborators, each complete when it is built."""

from __future__ import annotations

from dataclasses import fields

from rtvoiced.app.daemon import Daemon


def test_the_daemon_has_at_most_eight_collaborators() -> None:
    assert len([each for each in fields(Daemon) if each.init]) <= 8
