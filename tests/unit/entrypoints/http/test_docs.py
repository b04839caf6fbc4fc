"""The pages of docs/ that are made from the code are up to date."""

from scripts import docs

from spunto.core.activity.events import EventType


def test_the_generated_pages_are_up_to_date() -> None:
    written = {name: (docs.FOLDER / name).read_text() for name in ("errors.md", "permissions.md")}

    assert written == docs.pages(), "run `make docs`"


def test_every_kind_of_event_is_told_of() -> None:
    told = (docs.FOLDER / "events.md").read_text()

    assert [kind.value for kind in EventType if f"`{kind.value}`" not in told] == []
