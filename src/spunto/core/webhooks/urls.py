"""Which URLs a webhook may have. What a name leads to is looked at with each delivery, not here."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from spunto.core.kernel.errors import Invalid
from spunto.core.webhooks.addresses import AddressRule, parsed_address

MAX_URL_CHARACTERS: Final = 2000


def require_url(url: str, rule: AddressRule) -> None:
    """Raises Invalid `webhook_url_invalid` for what is no address of a receiver, `webhook_url_not_allowed`."""
    parts = _parts(url)
    if parts.scheme == "http" and not rule.takes_plain:
        raise Invalid("webhook_url_not_allowed", "Webhooks are sent by https alone.")
    address = parsed_address(parts.hostname or "")
    if address is not None and not rule.allows(address, plain=parts.scheme == "http"):
        raise Invalid("webhook_url_not_allowed", "Webhooks are not sent to this address.")


def host_of(url: str) -> str:
    """What may be told of a URL: its path and query may be a credential of the receiver's."""
    return urlsplit(url).hostname or ""


def _parts(url: str) -> SplitResult:
    # `urlsplit` would silently drop some of these.
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or any(ord(each) <= 0x20 or each == "\x7f" for each in url):
        raise _invalid(f"has at most {MAX_URL_CHARACTERS} characters, all of them ASCII and none of them a blank")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _invalid("can be read as one") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _invalid("begins with https:// and names a host")
    if "@" in parts.netloc or "\\" in url:
        raise _invalid("holds neither a user nor a password")
    if "#" in url:
        raise _invalid("holds no fragment")
    return parts


def _invalid(what: str) -> Invalid:
    return Invalid("webhook_url_invalid", f"A webhook's URL {what}.")
