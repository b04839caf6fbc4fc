"""What is asked of projects over HTTP: bodies and queries."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from spunto.core.projects.idle_timeout import MAX_TIMEOUT_SECONDS, MIN_TIMEOUT_SECONDS
from spunto.core.projects.listing import ProjectFilter
from spunto.core.projects.model import DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_BYTES, Environment
from spunto.core.routes.desired import Sharing
from spunto.core.secrets.names import MAX_NAME_CHARACTERS, PATTERN
from spunto.core.specs.image import MAX_CHARACTERS, why_no_image
from spunto.core.workers.sharing import MAX_SHARED_PORTS
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.paging import SortedQuery
from spunto.entrypoints.http.requests import In, Metadata, Name, Tag, Tags

_LABEL_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"
_LABEL_VALUE: Final = r"^[^\x00-\x1f\x7f]*$"


def _label_name(name: str) -> str:
    if len(name) > 100 or not re.search(_LABEL_NAME.replace("$", r"\Z"), name):
        told = "A label's name has 1 to 100 letters, digits and . _ / -, and begins with a letter or digit"
        raise PydanticCustomError("label_name", told)
    return name


def _label_value(value: str) -> str:
    if len(value) > 255 or not re.search(_LABEL_VALUE.replace("$", r"\Z"), value):
        raise PydanticCustomError("label_value", "A label's value has up to 255 characters and no control characters")
    return value


def _image_name(value: str) -> str:
    reason = why_no_image(value)
    if reason is not None:
        raise PydanticCustomError("image_name", "{what}", {"what": f"The image {value[:200]!r} {reason}."})
    return value


EnvName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
LabelName = Annotated[
    str,
    AfterValidator(_label_name),
    Field(json_schema_extra={"maxLength": 100, "pattern": _LABEL_NAME}),
]
LabelValue = Annotated[
    str,
    AfterValidator(_label_value),
    Field(json_schema_extra={"maxLength": 255, "pattern": _LABEL_VALUE}),
]
Image = Annotated[
    str,
    StringConstraints(max_length=MAX_CHARACTERS),
    AfterValidator(_image_name),
    Field(json_schema_extra={"pattern": r"^[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*$"}),
]
PortName = Annotated[
    str,
    StringConstraints(
        pattern=r"^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
    ),
]
Description = Annotated[str, StringConstraints(max_length=2000)]
Command = Annotated[str, StringConstraints(min_length=1, max_length=16 * 1024)]
Cpus = Annotated[float, Field(ge=0.01, le=4096)]
MemoryBytes = Annotated[int, Field(ge=16 * 1024**2, le=2**50)]
Env = Annotated[dict[EnvName, str], Field(max_length=256)]
EnvPatch = Annotated[dict[EnvName, str | None], Field(max_length=256)]
Labels = Annotated[dict[LabelName, LabelValue], Field(max_length=64)]
SecretName = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARACTERS, pattern=PATTERN)]
SecretNames = Annotated[list[SecretName], Field(max_length=64)]
LabelsPatch = Annotated[dict[LabelName, LabelValue | None], Field(max_length=64)]


PortsShared = Annotated[dict[PortName, Literal["org"]], Field(max_length=MAX_SHARED_PORTS)]
"""By port; all others are their worker's owner's alone at first."""


IdleTimeout = Annotated[int, Field(ge=MIN_TIMEOUT_SECONDS, le=MAX_TIMEOUT_SECONDS)]


class ProjectIn(In):
    name: Name
    description: Description = ""
    image: Image
    env: Env = Field(default_factory=dict)
    cpus: Cpus = DEFAULT_CPU_MILLIS / 1000
    memory_bytes: MemoryBytes = DEFAULT_MEMORY_BYTES
    labels: Labels = Field(default_factory=dict)
    post_create_command: Command | None = None
    post_start_command: Command | None = None
    secrets: SecretNames = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)
    sharing: PortsShared = Field(default_factory=dict)
    idle_timeout_seconds: IdleTimeout | None = None

    def shared(self) -> dict[int, Sharing]:
        return _shared(self.sharing)

    def environment(self) -> Environment:
        return Environment(
            image=self.image,
            env=self.env,
            cpu_millis=_millis(self.cpus),
            memory_bytes=self.memory_bytes,
            labels=self.labels,
            post_create_command=self.post_create_command,
            post_start_command=self.post_start_command,
            secrets=tuple(dict.fromkeys(self.secrets)),
        )


class ProjectPatchIn(In):
    """A merge patch: what is absent stays, null goes back to what a project has that never said it. `env` and `labels`
    are merged, lists, `metadata` and `sharing` replaced whole."""

    name: Name | None = None
    description: Description | None = None
    image: Image | None = None
    env: EnvPatch | None = None
    cpus: Cpus | None = None
    memory_bytes: MemoryBytes | None = None
    labels: LabelsPatch | None = None
    post_create_command: Command | None = None
    post_start_command: Command | None = None
    secrets: SecretNames | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None
    sharing: PortsShared | None = None
    idle_timeout_seconds: IdleTimeout | None = None

    def changes(self) -> dict[str, Any]:
        """By field of Project and Environment. Raises Invalid for a null that nothing can stand for."""
        given = {field: getattr(self, field) for field in self.model_fields_set}
        nulls = [field for field in ("name", "image") if field in given and given[field] is None]
        if nulls:
            raise invalid_fields([{"pointer": f"/{field}", "message": "Can't be cleared"} for field in nulls])
        given = {field: CLEARED.get(field) if value is None else value for field, value in given.items()}
        if "secrets" in given:
            given["secrets"] = tuple(dict.fromkeys(given["secrets"]))
        if "sharing" in given:
            given["sharing"] = _shared(given["sharing"])
        if "tags" in given:
            given["tags"] = tuple(given["tags"])
        if "cpus" in given:
            given["cpu_millis"] = _millis(given.pop("cpus"))
        return given


CLEARED: Final[Mapping[str, Any]] = {
    "description": "",
    "cpus": DEFAULT_CPU_MILLIS / 1000,
    "memory_bytes": DEFAULT_MEMORY_BYTES,
    "secrets": (),
    "tags": (),
    "metadata": {},
    "sharing": {},
}


class ProjectsQuery(SortedQuery):
    """Projects that are all of what is asked for."""

    name: Name | None = None
    tag: Tag | None = None

    def matching(self) -> ProjectFilter:
        return ProjectFilter(name=self.name, tag=self.tag)


def _shared(asked: Mapping[str, str]) -> dict[int, Sharing]:
    return {int(port): Sharing(how) for port, how in asked.items()}


def _millis(cpus: float) -> int:
    return round(cpus * 1000)
