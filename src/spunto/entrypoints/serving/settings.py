"""The server's settings: `SPUNTO_*` variables over a TOML file over the defaults here."""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from spunto.core.kernel.buckets import Rate
from spunto.core.routes.hosts import DEFAULT_BASE_DOMAIN, base_domain_problem
from spunto.entrypoints.serving.databases import sqlite_url
from spunto.entrypoints.serving.limits import DEFAULT_RATES, Limit
from spunto.entrypoints.serving.local_urls import local_url
from spunto.entrypoints.serving.secret_settings import SecretText

CONFIG_FILE = Path("/etc/spunto/server.toml")
DEFAULT_WORKER_IMAGE = "localhost/spunto/worker:1"
"""What `spunto worker-image` builds."""


class Settings(BaseSettings):
    """Everything that an operator may set; `spunto config` lists it with its present values."""

    model_config = SettingsConfigDict(env_prefix="SPUNTO_", extra="ignore", frozen=True)

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="port to listen on")] = 8000
    socket: Annotated[
        Path | None,
        Field(
            description="Unix socket to listen on instead, for an edge on this machine: what it says of clients is "
            "believed, and host and port are where the edge listens"
        ),
    ] = None
    data_dir: Annotated[Path, Field(description="where one box keeps its database, token and agent journal")] = Path(
        ".spunto"
    )
    database_url: Annotated[
        str | None,
        Field(description="sqlite+aiosqlite or postgresql+asyncpg URL; default: SQLite in the data directory"),
    ] = None
    worker_image: Annotated[
        str, Field(min_length=1, description="image of the demo's project; other ones than the default are pulled")
    ] = DEFAULT_WORKER_IMAGE
    public_url: Annotated[
        str | None, Field(description="how browsers and agents reach this server; default: http://host:port")
    ] = None
    base_domain: Annotated[
        str,
        Field(description="domain below which workers have their hosts, by the scheme and port of the public URL"),
    ] = DEFAULT_BASE_DOMAIN
    database_pool_size: Annotated[int, Field(ge=1, le=200, description="Postgres connections at most")] = 20
    database_notify: Annotated[
        bool, Field(description="whether servers on one Postgres tell each other of changes by LISTEN and NOTIFY")
    ] = True
    replica_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^/?#@]+$",
            description="where the other servers of the database reach this one, never a public name; each its own",
        ),
    ] = None
    replica_listen: Annotated[
        str | None,
        Field(pattern=r"^.+:\d+$", description="host:port to listen on for them; default: that of the replica URL"),
    ] = None
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        NoDecode,
        Field(description="networks of the reverse proxies whose X-Forwarded-For is believed, with commas"),
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="names beside that of the public URL by which requests may come, with commas"),
    ] = ()
    rate_limits: Annotated[bool, Field(description="whether requests are limited at all")] = True
    rate_limit_per_second: Annotated[float, Field(gt=0, description="requests of one credential, for good")] = 20
    rate_limit_burst: Annotated[int, Field(ge=1, description="requests of one credential, at once")] = 100
    rate_limit_sign_ins: Annotated[int, Field(ge=1, description="steps of sign-ins an address and minute")] = 10
    rate_limit_spawns: Annotated[int, Field(ge=1, description="new workers an organization and minute")] = 60
    rate_limit_entries_per_second: Annotated[
        float, Field(gt=0, description="commands and terminals of one credential, for good")
    ] = 20
    rate_limit_entries_burst: Annotated[
        int, Field(ge=1, description="commands and terminals of one credential, at once")
    ] = 100
    rate_limit_invitations: Annotated[int, Field(ge=1, description="invitations an organization and hour")] = 20
    keyring: Annotated[
        Path | None,
        Field(description="file with the keys that stored secrets are encrypted with; default: in the data directory"),
    ] = None
    oidc_issuer: Annotated[str, Field(description="where people sign in: an OpenID Connect issuer")] = (
        "https://accounts.google.com"
    )
    oidc_client_id: Annotated[
        str | None,
        Field(min_length=1, description="this server's client id at the issuer; without it no sign-in there"),
    ] = None
    oidc_client_secret: Annotated[SecretText | None, Field(description="this server's client secret at the issuer")] = (
        None
    )
    oidc_client_secret_file: Annotated[Path | None, Field(description="file that holds the client secret")] = None
    oidc_hosted_domain: Annotated[
        str | None,
        Field(min_length=1, description="the one domain whose accounts may sign in (the claim `hd`, exactly)"),
    ] = None
    oidc_trust_unsaid_email: Annotated[
        bool,
        Field(
            description="whether e-mail addresses count of which the issuer does not say whether they are verified, as "
            "those of Entra ID; only where nobody can choose an address there"
        ),
    ] = False
    metrics_token: Annotated[
        SecretText | None,
        Field(description="what a scraper of /metrics sends as Bearer; without it only this machine itself may"),
    ] = None
    metrics_token_file: Annotated[Path | None, Field(description="file that holds the metrics token")] = None
    owner_email: Annotated[
        str | None,
        Field(min_length=1, description="whose first sign-in, with this address verified, makes them the first owner"),
    ] = None
    smtp_host: Annotated[
        str | None, Field(description="mail server for invitations; without one, links go to the log")
    ] = None
    smtp_port: Annotated[int, Field(ge=1, le=65535, description="its port")] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"], Field(description="how the connection to it is encrypted")
    ] = "starttls"
    smtp_username: Annotated[str | None, Field(description="who the server is there, where it asks")] = None
    smtp_password: Annotated[SecretText | None, Field(description="the password for it")] = None
    smtp_password_file: Annotated[Path | None, Field(description="file that holds the password")] = None
    smtp_from: Annotated[
        str | None, Field(description="sender of mail; default: Spunto <spunto@host of the public URL>")
    ] = None
    webhook_allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        NoDecode,
        Field(
            description="networks beside the public internet that webhooks may be sent to, also by http, with commas"
        ),
    ] = ()
    grace_seconds: Annotated[float, Field(gt=0, description="how long requests may finish at a stop")] = 10.0
    stalled_seconds: Annotated[
        float, Field(gt=0, description="how long a reader of events or of an export may take nothing")
    ] = 30.0
    log_format: Annotated[
        Literal["auto", "json", "console"], Field(description="auto: console on a terminal, else json")
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="least level that is logged")
    ] = "info"

    @property
    def url(self) -> str:
        """Where this server is reached, without a trailing slash."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        return local_url(self.host, self.port)

    @property
    def is_url_guessed(self) -> bool:
        """Whether nobody said how other machines reach a server that listens for them."""
        return self.public_url is None and self.host in ("0.0.0.0", "::", "")

    @property
    def rates(self) -> Mapping[Limit, Rate]:
        if not self.rate_limits:
            return {}
        return DEFAULT_RATES | {
            Limit.API: Rate(per_second=self.rate_limit_per_second, burst=self.rate_limit_burst),
            Limit.SIGN_IN: Rate(per_second=self.rate_limit_sign_ins / 60, burst=self.rate_limit_sign_ins),
            Limit.SPAWN: Rate(per_second=self.rate_limit_spawns / 60, burst=self.rate_limit_spawns),
            Limit.ENTER: Rate(per_second=self.rate_limit_entries_per_second, burst=self.rate_limit_entries_burst),
            Limit.INVITE: Rate(per_second=self.rate_limit_invitations / 3600, burst=self.rate_limit_invitations),
        }

    @property
    def database(self) -> str:
        return self.database_url or sqlite_url(self.data_dir / "spunto.db")

    @field_validator("trusted_proxies", "allowed_hosts", "webhook_allowed_networks", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("base_domain")
    @classmethod
    def _good_domain(cls, value: str) -> str:
        problem = base_domain_problem(value)
        if problem is not None:
            raise ValueError(problem)
        return value

    @property
    def keyring_file(self) -> Path:
        return self.keyring or self.data_dir.resolve() / "keyring"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("SPUNTO_CONFIG", CONFIG_FILE))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)
