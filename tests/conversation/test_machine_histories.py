"""Random histories of server, user, commands, losses and time: the same ones in every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from support.history_machines import ConversationMachine, OverlapMachine

OVERLAPS = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    database=None,
    # The same histories in every run, which is to judge a change; `make soak` looks for others.
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
ConversationMachine.TestCase.settings = settings(OVERLAPS, max_examples=150, stateful_step_count=40)
OverlapMachine.TestCase.settings = OVERLAPS
TestConversation = ConversationMachine.TestCase
TestOverlaps = OverlapMachine.TestCase
