"""Names as people type them."""

import pytest

from spunto.core.kernel.errors import Invalid, NotFound
from spunto.entrypoints.cli.resolve import one_of

# Id, name, and the name in full.
FOX = ("wkr_1", "fox", "web/fox")
OTHER_FOX = ("wkr_2", "fox", "api/fox")
OWL = ("wkr_3", "owl", "api/owl")


def chosen(*candidates: tuple[str, ...], wanted: str | None) -> tuple[str, ...]:
    return one_of(candidates, wanted, kind="worker", names=lambda candidate: candidate)


@pytest.mark.parametrize("wanted", ["wkr_3", "owl", "api/owl"])
def test_an_id_or_a_name_is_enough(wanted: str) -> None:
    assert chosen(FOX, OTHER_FOX, OWL, wanted=wanted) == OWL


def test_the_only_one_needs_no_name() -> None:
    assert chosen(FOX, wanted=None) == FOX


def test_an_id_wins_over_somebody_elses_name() -> None:
    impostor = ("wkr_9", "wkr_1", "web/wkr_1")

    assert chosen(impostor, FOX, wanted="wkr_1") == FOX


def test_a_name_that_two_have_is_asked_for_in_full() -> None:
    with pytest.raises(Invalid, match="'fox' may be any of api/fox, web/fox") as refusal:
        chosen(FOX, OTHER_FOX, OWL, wanted="fox")

    assert refusal.value.code == "worker_ambiguous"


def test_of_several_one_must_be_named() -> None:
    with pytest.raises(Invalid, match="Say which worker is meant: api/owl, web/fox") as refusal:
        chosen(FOX, OWL, wanted=None)

    assert refusal.value.code == "worker_not_named"


@pytest.mark.parametrize(
    ("wanted", "sentence"), [("cat", "There is no worker 'cat'."), (None, "There is no worker yet.")]
)
def test_nothing_found_is_not_found(wanted: str | None, sentence: str) -> None:
    candidates = [FOX] if wanted else []

    with pytest.raises(NotFound) as refusal:
        chosen(*candidates, wanted=wanted)

    assert (refusal.value.code, refusal.value.message) == ("worker_not_found", sentence)


def test_a_kind_of_two_words_has_a_code_in_one() -> None:
    with pytest.raises(NotFound, match="There is no API key 'x'") as refusal:
        one_of([FOX], "x", kind="API key", names=lambda candidate: candidate)

    assert refusal.value.code == "api_key_not_found"
