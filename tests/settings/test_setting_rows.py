"""The rows of rtvoiced(1) that tell of the settings are made of their declarations."""

from __future__ import annotations

from generate.setting_rows import rows


def test_a_row_has_the_text_the_words_the_range_with_its_unit_and_the_default() -> None:
    made = rows()

    assert (
        ".It Li turn.silence_ms *\nSo much silence ends the user's turn.\n100 to 10000 ms; default 500.\n"
        in made
    )
    assert ".It Li audio.start_muted\nBegin with the microphone off.\nDefault false.\n" in made
    assert "One of half_duplex or server; default half_duplex.\n" in made
