"""What lies where in a box's data directory."""

import hashlib
import os
from pathlib import Path


def owner_token_file(data_dir: Path) -> Path:
    return data_dir / "owner.token"


def url_file(data_dir: Path) -> Path:
    """Where the box says how it is reached from this machine, for `spunto login`."""
    return data_dir / "url"


def edge_token_file(data_dir: Path) -> Path:
    return data_dir / "edge" / "token"


def server_socket(data_dir: Path) -> Path:
    """Where the box's server listens for its edge and its agent: short, whatever the path of the data directory is."""
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    if os.geteuid() == 0:
        return Path("/run/spunto") / name / "server.sock"
    own = os.environ.get("XDG_RUNTIME_DIR")
    # Whoever binds the socket looks whether the directory is theirs.
    return (Path(own) / name if own else Path(f"/tmp/spunto-{os.geteuid()}-{name}")) / "server.sock"  # noqa: S108


def holder_directory(data_dir: Path) -> Path:
    """Where the box's agent looks for what holds its terminals."""
    return data_dir / "agent" / "holder"


def node_token_file(data_dir: Path) -> Path:
    return data_dir / "agent" / "token"
