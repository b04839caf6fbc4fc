"""Names that people can see, type and tell apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.names import made_fit, name_problem, require_name


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


def test_what_is_no_name_is_refused_to_whoever_calls() -> None:
    require_name("größe-1")

    with pytest.raises(Invalid) as caught:
        require_name("a/b")

    assert (caught.value.code, caught.value.message) == (
        "name_invalid",
        "The name must not contain '/', which parts names in commands and addresses.",
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada\n\tLovelace\u00a0", "Ada Lovelace"),
        ("Ops/Infra", "Ops-Infra"),
        ("evil\u202egnp", "evilgnp"),
        ("a\u200bb", "ab"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("x" * 200, "x" * 100),
        ("\u200b\u3164", ""),
        ("", ""),
    ],
)
def test_a_text_of_others_is_made_fit_or_nothing(text: str, name: str) -> None:
    assert made_fit(text) == name


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("/ \n\u200d\u202e\u3164"), max_size=150))
def test_what_was_made_fit_is_a_name_and_stays_as_it_is(text: str) -> None:
    name = made_fit(text)

    assert name == "" or name_problem(name) is None
    assert made_fit(name) == name
