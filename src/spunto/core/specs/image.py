"""Names of container images, as registries and engines understand them."""

import re
from typing import Final

MAX_CHARACTERS: Final = 512
"""Of the whole reference."""
_MAX_NAME = 255
_CAPITALS = "has capital letters, which names of images lack"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*))"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


def why_no_image(reference: str) -> str | None:
    """Why it names no image, as the end of a sentence about it; None where it does: `[host/]path[:tag][@digest]`.

    Whether there is such an image is the registry's to say.
    """
    if "://" in reference:
        return "is a URL; leave its scheme out, as in registry.example/team/image:1"
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return _nearest_reason(reference)
    if found["host"] and not _is_host(found["host"]) and not re.fullmatch(_COMPONENT, found["host"]):
        return _CAPITALS
    if len(found["name"]) > _MAX_NAME:
        return f"has a name of more than {_MAX_NAME} characters"
    if found["host"] is None and _IMAGE_ID.fullmatch(found["path"]):
        return "is the id of an image; name it, with a tag or a digest"
    if (found["digest"] or "").startswith("sha256:") and not _SHA256.fullmatch(found["digest"]):
        return "has a sha256 digest that is none: 64 hexadecimal digits in lower case"
    return None


def _is_host(part: str) -> bool:
    """Whether what stands before the first slash is one; other such parts belong to the name."""
    return part == "localhost" or "." in part or ":" in part


def _nearest_reason(reference: str) -> str:
    if not reference.strip():
        return "is empty"
    if any(each.isspace() for each in reference):
        return "has blanks in it"
    if "//" in reference or reference.startswith("/") or reference.endswith("/"):
        return "has an empty part between slashes"
    if any(each.isupper() for each in reference.partition("@")[0].rpartition("/")[2].partition(":")[0]):
        return _CAPITALS
    return "is no name of an image, such as registry.example/team/image:1"
