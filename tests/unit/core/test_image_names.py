"""Names of images, told apart from what no engine takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.specs.image import why_no_image

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "name",
    [
        "debian",
        "debian:12",
        "library/debian:12-slim",
        "ghcr.io/team/app:v1.2_3",
        "localhost/spunto/worker:1",
        "localhost:5000/app",
        "REGISTRY.example/app",
        "127.0.0.1:5000/a/b/c:x",
        "[::1]:5000/app:1",
        f"debian@{DIGEST}",
        f"registry.example/app:1@{DIGEST}",
        "a/b__c/d-e---f/g.h",
    ],
)
def test_names_that_engines_take(name: str) -> None:
    assert why_no_image(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("a//b", "empty part"),
        ("/a", "empty part"),
        ("a/", "empty part"),
        ("https://registry.example/x/y:1", "is a URL"),
        ("docker://debian", "is a URL"),
        ("Debian", "capital letters"),
        ("registry.example/Team", "capital letters"),
        ("UPPER/case", "capital letters"),
        ("a b", "blanks"),
        ("debian\n", "blanks"),
        ("../etc", "no name"),
        ("a:", "no name"),
        ("a:1:2", "no name"),
        ("-a", "no name"),
        ("a..b", "no name"),
        ("a___b", "no name"),
        ("a@sha256:12", "no name"),
        (f"a@{DIGEST[:-1]}", "digest that is none"),
        (f"a@{DIGEST.upper().replace('SHA256', 'sha256')}", "digest that is none"),
        ("a:" + "t" * 129, "no name"),
        ("a" * 256, "more than 255"),
        ("0123456789abcdef" * 4, "id of an image"),
    ],
)
def test_what_no_engine_takes_is_told_with_the_reason(name: str, reason: str) -> None:
    assert reason in (why_no_image(name) or "")


@given(st.text(max_size=40))
def test_every_text_is_judged(text: str) -> None:
    why_no_image(text)
