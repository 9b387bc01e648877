"""Histories that no run had before: `make test` runs the same ones every time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from support.history_machines import ConversationMachine, OverlapMachine

pytestmark = pytest.mark.timeout(1200)

ANEW = settings(
    max_examples=1_000,
    stateful_step_count=30,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class AnyConversation(ConversationMachine):
    """Another search of the same machine."""


class AnyOverlap(OverlapMachine):
    """Another search of the same machine."""


AnyConversation.TestCase.settings = settings(ANEW, stateful_step_count=40)
AnyOverlap.TestCase.settings = ANEW
TestConversation = AnyConversation.TestCase
TestOverlap = AnyOverlap.TestCase
