"""The rows of rtvoiced(1) that tell of the settings are made of their declarations."""

from __future__ import annotations

from pathlib import Path

from rtvoiced.settings.manual import main, rows

PAGE = Path(__file__).parents[2] / "docs" / "man" / "rtvoiced.1"


def test_the_page_is_fresh() -> None:
    assert main(["--check", str(PAGE)]) == 0


def test_a_row_has_the_text_the_words_the_range_with_its_unit_and_the_default() -> None:
    made = rows()

    assert (
        ".It Li turn.silence_ms *\nSo much silence ends the user's turn.\n100 to 10000 ms; default 500.\n"
        in made
    )
    assert ".It Li audio.start_muted\nBegin with the microphone off.\nDefault false.\n" in made
    assert "One of half_duplex or server; default half_duplex.\n" in made


def test_a_stale_page_is_told_and_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.1"
    fresh = PAGE.read_text("utf-8")
    page.write_text(fresh.replace("default 500", "default 501"), "utf-8")

    assert main(["--check", str(page)]) == 1
    assert main([str(page)]) == 0
    assert page.read_text("utf-8") == fresh
