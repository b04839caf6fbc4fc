"""What lies where in a box's data directory."""

from pathlib import Path


def owner_token_file(data_dir: Path) -> Path:
    return data_dir / "owner.token"


def url_file(data_dir: Path) -> Path:
    """Where the box says how it is reached from this machine, for `spunto login`."""
    return data_dir / "url"


def node_token_file(data_dir: Path) -> Path:
    return data_dir / "agent" / "token"
