"""The verbs that are commands of the daemon. Made by ``make generate``: do not edit.

They follow from the declarations in `rtvoiced.ipc.contract.commands`.
"""

from __future__ import annotations

from rtctl.cli import readers
from rtctl.cli.command_verb import CommandVerb

PROVIDERS = ("openai", "azure", "custom", "local")
VERBS = {
    "mute": CommandVerb(
        "mute",
        "switch the microphone off",
        arguments=(
            (
                ("mode",),
                {"choices": ("on", "off", "toggle"), "help": "default: on", "nargs": "?", "default": "on"},
            ),
            (
                ("--for",),
                {
                    "dest": "for_s",
                    "metavar": "D",
                    "type": readers.seconds,
                    "help": "unmute after 90, 90s, 10m or 2h",
                },
            ),
        ),
        sends=(("mode", "on"), ("for_s", None)),
    ),
    "unmute": CommandVerb("mute", "switch the microphone on", args=(("mode", "off"),)),
    "volume": CommandVerb(
        "volume",
        "tell or set the volume",
        arguments=(
            (
                ("percent",),
                {
                    "metavar": "PERCENT|+N|-N",
                    "type": readers.volume,
                    "help": "0 to 100, or so much more or less",
                    "nargs": "?",
                },
            ),
        ),
        sends=(("percent", None),),
    ),
    "interrupt": CommandVerb("interrupt", "silence the assistant now"),
    "say": CommandVerb(
        "say",
        "have the assistant say exactly this",
        arguments=(
            (("text",), {"metavar": "TEXT", "nargs": "+"}),
            (
                ("--wait",),
                {"action": "store_true", "help": "wait until it was heard; no timeout unless --timeout"},
            ),
            (
                ("--uninterruptible",),
                {
                    "dest": "interruptible",
                    "action": "store_false",
                    "help": "whoever speaks over it is answered after it",
                },
            ),
        ),
        sends=(("text", None), ("wait", False), ("interruptible", True)),
    ),
    "ask": CommandVerb(
        "ask",
        "put a text to the assistant",
        arguments=(
            (("text",), {"metavar": "TEXT", "nargs": "+"}),
            (
                ("--wait",),
                {"action": "store_true", "help": "wait until it was heard; no timeout unless --timeout"},
            ),
        ),
        sends=(("text", None), ("wait", False)),
    ),
    "talk": CommandVerb(
        "talk",
        "push-to-talk: press, then release to be answered",
        arguments=(
            (
                ("action",),
                {"choices": ("press", "release", "cancel"), "help": "cancel: forget what was said"},
            ),
        ),
        sends=(("action", None),),
    ),
    "reconnect": CommandVerb(
        "reconnect",
        "open a new session",
        arguments=(
            (("--fresh",), {"action": "store_true", "help": "one that knows nothing of the conversation"}),
            (
                ("--wait",),
                {"action": "store_true", "help": "wait until it is up; no timeout unless --timeout"},
            ),
        ),
        sends=(("fresh", False), ("wait", False)),
    ),
    "set-voice": CommandVerb(
        "set-voice",
        "speak with another voice until the daemon ends",
        arguments=((("voice",), {"metavar": "VOICE"}),),
        sends=(("voice", None),),
    ),
    "set-device": CommandVerb(
        "set-device",
        "use another microphone or speaker until the daemon ends",
        arguments=(
            (("direction",), {"choices": ("input", "output")}),
            (("name",), {"metavar": "NAME", "help": "a part of its name; '' is the system's default"}),
        ),
        sends=(("direction", None), ("name", None)),
    ),
    "set": CommandVerb(
        "set",
        "change a key of the configuration until the daemon ends",
        arguments=((("key",), {"metavar": "KEY", "help": "section.key"}), (("value",), {"metavar": "VALUE"})),
        sends=(("key", None), ("value", None)),
    ),
    "get": CommandVerb(
        "get",
        "tell the value of a key of the configuration",
        arguments=((("key",), {"metavar": "KEY"}),),
        sends=(("key", None),),
    ),
    "reload": CommandVerb("reload", "have the daemon read its configuration file again"),
    "stop": CommandVerb("stop", "end the daemon"),
    "hello": CommandVerb("hello", "tell who is there: versions, pid, run"),
    "status": CommandVerb("status", "show everything that is true now"),
    "is-muted": CommandVerb(
        "status",
        "tell whether the microphone is off",
        arguments=(
            (
                ("-e", "--exit-status"),
                {"action": "store_true", "help": "print nothing; exit status 0: muted, 1: not"},
            ),
        ),
    ),
    "history": CommandVerb(
        "history",
        "show what was said, and which words of an answer were heard",
        arguments=(
            (
                ("--last",),
                {"metavar": "N", "type": readers.positive, "help": "the last N messages; at most 500"},
            ),
        ),
        sends=(("last", None),),
    ),
    "stats": CommandVerb("stats", "show counters and latencies since the daemon's start"),
    "devices": CommandVerb("devices", "list the microphones and speakers that there are"),
}
