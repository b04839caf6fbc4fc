"""Names that people can see, type and tell apart."""

import pytest

from spunto.core.kernel.names import name_problem


@pytest.mark.parametrize(
    "name", ["a", "My project", "größe-1", "项目", "नमस्ते", "می\u200cخواهم", "👩\u200d💻", "a.b_c:d@e", "-x", "x" * 100]
)
def test_what_can_be_seen_whole_is_a_name(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "1 to 100"),
        ("x" * 101, "1 to 100"),
        (" a", "blank"),
        ("a\u00a0", "blank"),
        ("a/b", "'/'"),
        ("a\nb", "U+000A"),
        ("a\x85b", "U+0085"),
        ("\u200b", "U+200B"),
        ("a\u200bb", "U+200B"),
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\u2028b", "U+2028"),
        ("\ufeffa", "U+FEFF"),
        ("a\ue000", "U+E000"),
        ("a\U000e0041", "U+E0041"),
        ("\u200d", "can be seen"),
        ("\u0301", "can be seen"),
        ("\u3164", "can be seen"),
        ("\u2800", "can be seen"),
    ],
)
def test_what_hides_turns_or_parts_is_told_why_it_is_none(name: str, why: str) -> None:
    assert why in (name_problem(name) or "")
