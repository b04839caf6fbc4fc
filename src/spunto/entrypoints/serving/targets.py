"""Request targets: what stands between method and version in a request line."""


def path_of(target: str) -> str:
    """An absolute path for whatever stood in the request line (`*`, a whole URL, or only a query)."""
    if target.startswith("/"):
        return target
    # Not urlsplit, which raises for some of what may stand here.
    _, is_url, rest = target.partition("://")
    return f"/{rest.partition('/')[2]}" if is_url else f"/{target}"
