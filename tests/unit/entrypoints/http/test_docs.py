"""The pages of docs/ that are made from the code are up to date."""

from scripts import docs


def test_the_generated_pages_are_up_to_date() -> None:
    written = {name: (docs.FOLDER / name).read_text() for name in ("errors.md", "permissions.md")}

    assert written == docs.pages(), "run `make docs`"
