"""What people see who are refused: plain HTML, no script, no style but the browser's."""

import re
from collections.abc import Sequence
from html import escape
from typing import Final

_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
_CODE: Final = re.compile(r"`([^`]+)`")
REFUSED: Final = "That did not work"
TYPE: Final = "text/html; charset=utf-8"


def page_text(title: str, body: str) -> str:
    """`body` is HTML; whatever in it came from outside is escaped already."""
    return _PAGE.format(title=escape(title), body=body)


def refusal_text(code: str, detail: str, *, request_id: str, way: str) -> str:
    """`way` is HTML: how to go on."""
    return page_text(
        REFUSED,
        f"<p>{marked_up(detail)}</p>\n{way}\n"
        f"<p><small><code>{escape(code)}</code>, request <code>{escape(request_id)}</code></small></p>",
    )


def marked_up(sentence: str) -> str:
    """As HTML: what stands between backticks in a problem's sentence is code."""
    return _CODE.sub(r"<code>\1</code>", escape(sentence))


def is_for_a_person(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the answer is shown to somebody, who went there or sent a form. Names are in lower case."""
    told = dict(headers)
    is_script = told.get(b"sec-fetch-mode", b"navigate").strip() != b"navigate" or b"x-requested-with" in told
    return b"text/html" in told.get(b"accept", b"") and not is_script
