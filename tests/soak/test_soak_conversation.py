"""Histories that no run had before: `make test` runs the same ones every time."""

from __future__ import annotations

import pytest
from hypothesis import settings

from conversation.test_machine_histories import OVERLAPS, ConversationMachine, OverlapMachine

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

ANEW = settings(OVERLAPS, derandomize=False, max_examples=1_000)


class AnyConversation(ConversationMachine):
    """Another search of the same machine."""


class AnyOverlap(OverlapMachine):
    """Another search of the same machine."""


AnyConversation.TestCase.settings = settings(ANEW, stateful_step_count=40)
AnyOverlap.TestCase.settings = ANEW
TestConversation = AnyConversation.TestCase
TestOverlap = AnyOverlap.TestCase
