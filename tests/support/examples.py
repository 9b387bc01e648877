"""How many examples hypothesis tries of a rule: so many in `make test`, many times more in `make soak`."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""What a rule is tried with that says nothing else."""
SOAK = 10
"""Times as many, where nobody waits."""


def register() -> None:
    """Make the profiles known, of which pytest's ``--hypothesis-profile`` chooses one."""
    settings.register_profile("test", max_examples=USUAL, deadline=None)
    settings.register_profile("soak", max_examples=SOAK * USUAL, deadline=None)
    settings.load_profile("test")


def examples(count: int) -> settings:
    """Return the setting of a rule that is tried with *count* examples, or in the soak as many times more."""
    return settings(max_examples=count * settings().max_examples // USUAL, deadline=None)
