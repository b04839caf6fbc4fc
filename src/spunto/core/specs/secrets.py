"""Values of secrets as they travel beside a spec."""

import base64
from collections.abc import Mapping

from spunto.core.kernel.secret import Secret


def secrets_to_json(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """Values as they travel, and as nobody may store them: in base64, so that JSON's escapes make none too long."""
    return {name: base64.b64encode(value.reveal().encode()).decode() for name, value in secrets.items()}


def secrets_from_json(body: Mapping[str, str]) -> dict[str, Secret]:
    """Raises ValueError where it is none of ours."""
    return {name: Secret(base64.b64decode(value, validate=True).decode()) for name, value in body.items()}
