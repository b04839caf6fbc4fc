"""Settings that are secrets: given as they are, or by the name of a file, and never shown."""

from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text")
    return Secret(value)


SecretText = Annotated[Secret, PlainValidator(_secret), PlainSerializer(str)]


def secret_of(value: Secret | None, file: Path | None, *, setting: str) -> Secret | None:
    """The secret, from wherever it was given. Raises Invalid for both, and for a file that can't be read."""
    if file is None:
        return value
    if value is not None:
        raise Invalid("invalid_settings", f"set {setting} or {setting}_FILE, not both")
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("invalid_settings", f"{setting}_FILE can't be read") from error
    if not text:
        raise Invalid("invalid_settings", f"{setting}_FILE names an empty file")
    return Secret(text)
