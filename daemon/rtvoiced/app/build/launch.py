"""What `build` is given: what was asked for on the command line, and what the machine has.

`Launch` is made by `rtvoiced.__main__`. `Parts` is the seam for tests of the whole
daemon: in a process of its own, a test calls `main` with a simulated card in the
place of PortAudio, say. Nothing else is replaced there.

    main(parts=Parts(no_card=lambda: SimulatedCard(WallClock())))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rtvoiced.audio.cards import portaudio
from rtvoiced.audio.cards.device_list import COMMAND, LIST_S
from rtvoiced.dsp.pcm import Card
from rtvoiced.errors import AudioError
from rtvoiced.host.heartbeat import STALL_S
from rtvoiced.settings.schema import Settings


def no_card() -> Card:
    """Refuse: there is to be no card, and responses go by as text."""
    raise AudioError('audio.card = "none"')


@dataclass(eq=False, repr=False)
class Parts:
    """What of the machine the daemon stands on; a test puts its own in the place of some."""

    open_card: Callable[[str, str], Card] = portaudio.open_card
    """Opens the devices of these names (``auto``, ``portaudio``); raises AudioError."""
    no_card: Callable[[], Card] = no_card
    """Opens what stands for a card where there is to be none."""
    list_devices: tuple[str, ...] = COMMAND
    """The command line of the child that lists the devices, for whoever asks."""
    list_s: float = LIST_S
    """Seconds that it may take."""
    stall_s: float = STALL_S
    """Seconds without a round of the audio thread after which it is given up."""


REAL = Parts()


@dataclass(eq=False, repr=False)
class Launch:
    """What the command line and the environment say of the daemon to be."""

    settings: Settings
    load: Callable[[], Settings]
    """Reads the configuration again; raises `ConfigError`."""
    environ: Mapping[str, str]
    runtime_dir: str | None = None
    """The directory of the sockets, where one was named."""
    system: bool = False
    """It is the machine's service, and for its group too."""
    supervisor: str | None = None
    """Who keeps it running, where that was said."""
