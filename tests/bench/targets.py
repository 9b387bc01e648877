"""What was aimed at for each figure of the interruption, and the table that shows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.contenders import ARTICLE, Contender
from bench.scene import PHASES
from bench.table import Row
from support.measuring import percentile

Figures = Mapping[tuple[str, str], Sequence[float]]
Kept = Callable[[Sequence[float]], bool]

TEXT = """\
Programs take turns on one virtual sound card, and each is started anew in every round. The article's design
(`tests/bench/article.py`) is what articles and demos show: threads, queues, PyAudio, 1,024 frames a block.
The server is scripted. It answers with a signal of which any 30 ms are known, and lets two deltas slip out
after `speech_started`. What was heard is what a recorder has of the speaker; its own delay, the first rows,
is contained in what follows. A gap is a silence of 2 ms or more inside of an answer.

Other programs were measured on such a card elsewhere and in another run; these figures are quoted, not
measured here. To silence after `speech_started`: the article's design 838 ms, openai-agents 115, LiveKit
242, Pipecat 430; from the voice in the microphone 969, 149, 473, 505. Truncates beside what was heard:
never sent, −12, +57, −30 ms. Microphone to wire 88, 33, 95, 26 ms. CPU as a ratio to the article's design
1, 2, 5, 4.4. RSS 53, 140, 438, 143 MB. Start 0.25, 1.6, 2.6, 0.65 s. Streaming again after a dropped
connection: LiveKit alone, 128 ms."""


@dataclass(frozen=True)
class Aim:
    """A figure and its target."""

    what: str
    """Its key among the figures."""
    name: str
    unit: str
    target: str = ""
    kept: Kept | None = None
    hold: tuple[str, Kept] | None = None
    """Another target with the canceller, the VAD and `hold`."""

    def row(self, contender: Contender, values: Sequence[float]) -> Row:
        """Return the row of *contender*; the article's design has no target."""
        name = f"{self.name}: {contender.name}"
        target, kept = self.hold if self.hold and contender.cleans else (self.target, self.kept)
        if not contender.ours or kept is None:
            return Row(name, self.unit, "", values)
        return Row(name, self.unit, target, values, kept(values))


def most(median: float, p95: float = float("inf"), maximum: float = float("inf")) -> tuple[str, Kept]:
    """Return the words and the test of upper limits."""
    limits = {"median": median, "p95": p95, "max": maximum}
    words = ", ".join(f"{name} ≤ {limit:g}" for name, limit in limits.items() if limit < float("inf"))

    def kept(values: Sequence[float]) -> bool:
        return percentile(values, 50) <= median and percentile(values, 95) <= p95 and max(values) <= maximum

    return words, kept


def always(value: float) -> tuple[str, Kept]:
    """Return the words and the test of one value."""
    return f"{value:g}", lambda values: set(values) == {value}


AIMS = (
    Aim("click:speaker", "rig: clicks recorded beside their median, speaker", "ms"),
    Aim("click:micsink", "rig: clicks recorded beside their median, microphone", "ms"),
    *(
        Aim(f"silence:{phase}", f"`speech_started` → last audible sample, {phase}", "ms", *most(30, 45))
        for phase in PHASES
    ),
    Aim("late", "late deltas heard", "ms", *always(0)),
    Aim("truncates", "truncates of an interrupted answer", "", *always(1)),
    Aim("error", "truncate beside what was heard", "ms", *most(4, maximum=15)),
    Aim("voice", "voice in the microphone → last audible sample", "ms", *most(120), hold=most(130)),
    Aim("wire", "sound in the microphone → its append", "ms", *most(25), hold=most(40)),
    Aim("sound", "first delta → first audible sample", "ms", *most(20)),
    Aim(
        "gaps",
        "gaps in an answer of 30 s",
        "",
    ),
    Aim("gaps:busy", "gaps in an answer of 30 s, one core kept busy by another process", "", *always(0)),
    Aim("gap:busy", "the longest of them", "ms"),
    Aim("cpu:listening", "CPU listening", "s/min"),
    Aim("cpu:speaking", "CPU speaking", "s/min"),
    Aim("ratio:listening", "CPU listening, ratio to the article's design", "", *most(2), hold=most(3)),
    Aim("ratio:speaking", "CPU speaking, ratio to the article's design", "", *most(1.7), hold=most(3)),
    Aim("rss", "RSS", "MB", *most(70), hold=most(90)),
    Aim("start", "start → first append", "s", *most(0.5)),
    Aim("again", "dropped connection → first append", "ms", *most(60)),
)


def rows(found: Figures, taking_part: Sequence[Contender]) -> list[Row]:
    """Return the table."""
    figures = {**found, **ratios(found, taking_part)}
    return [
        aim.row(contender, figures[aim.what, contender.name])
        for aim in AIMS
        for contender in taking_part
        if figures.get((aim.what, contender.name))
    ]


def ratios(found: Figures, taking_part: Sequence[Contender]) -> dict[tuple[str, str], list[float]]:
    """Return each program's CPU by that of the article's design in the same round."""
    return {
        (f"ratio:{doing}", contender.name): [
            one / other
            for one, other in zip(
                found[f"cpu:{doing}", contender.name], found[f"cpu:{doing}", ARTICLE.name], strict=True
            )
        ]
        for doing in ("listening", "speaking")
        for contender in taking_part
        if contender.ours
    }
