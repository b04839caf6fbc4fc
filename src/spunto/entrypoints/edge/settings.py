"""The edge's settings: `SPUNTO_EDGE_*` variables over a TOML file over the defaults here."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.serving.secret_settings import SecretText, secret_of

CONFIG_FILE = Path("/etc/spunto/edge.toml")


class EdgeSettings(BaseSettings):
    """Everything that an operator may set of an edge."""

    model_config = SettingsConfigDict(env_prefix="SPUNTO_EDGE_", extra="ignore", frozen=True)

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="port to listen on")] = 8080
    server: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^/?#@]+|unix:/.+)/?$",
            description="where the server is: https://spunto.example.org, or unix:/path/of/its/socket",
        ),
    ] = "http://127.0.0.1:8000"
    url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^/?#@]+/?$",
            description="where the nodes' agents reach this very edge, past any balancer; default: http://host:port",
        ),
    ] = None
    token: Annotated[SecretText | None, Field(description="the edge's token, which `spunto edge create` prints")] = None
    token_file: Annotated[Path | None, Field(description="or the file that it is in")] = None
    certificate: Annotated[Path | None, Field(description="certificate chain in PEM, to serve https itself")] = None
    private_key: Annotated[Path | None, Field(description="the certificate's private key in PEM")] = None
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        NoDecode,
        Field(description="networks of the reverse proxies whose X-Forwarded-For and -Proto are believed, with commas"),
    ] = ()
    grace_seconds: Annotated[float, Field(ge=0, description="how long answers may finish at a stop")] = 10.0
    log_format: Annotated[
        Literal["auto", "json", "console"], Field(description="auto: console on a terminal, else json")
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="least level that is logged")
    ] = "info"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("SPUNTO_EDGE_CERTIFICATE and SPUNTO_EDGE_PRIVATE_KEY belong together")
        return self

    def read_token(self) -> Secret:
        """Raises Invalid where it can't be read, or is none of an edge."""
        token = secret_of(self.token, self.token_file, setting="SPUNTO_EDGE_TOKEN")
        if token is None:
            raise Invalid("invalid_settings", "set SPUNTO_EDGE_TOKEN or SPUNTO_EDGE_TOKEN_FILE")
        return token

    @property
    def socket_path(self) -> str | None:
        """Of a server on this machine."""
        return self.server.removeprefix("unix:") if self.server.startswith("unix:") else None

    @property
    def own_url(self) -> str:
        scheme = "http" if self.certificate is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.url or f"{scheme}://{host}:{self.port}").rstrip("/")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, CONFIG_FILE)
