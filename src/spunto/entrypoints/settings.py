"""The server's settings: `SPUNTO_*` variables over a TOML file over the defaults here."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

CONFIG_FILE = Path("/etc/spunto/server.toml")


class Settings(BaseSettings):
    """Everything that an operator may set; `spunto config` lists it with its present values."""

    model_config = SettingsConfigDict(env_prefix="SPUNTO_", extra="ignore", frozen=True)

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="port to listen on")] = 8000
    data_dir: Annotated[Path, Field(description="where one box keeps its database, token and agent journal")] = Path(
        ".spunto"
    )
    database_url: Annotated[
        str | None,
        Field(description="sqlite+aiosqlite or postgresql+asyncpg URL; default: SQLite in the data directory"),
    ] = None
    public_url: Annotated[
        str | None, Field(description="how browsers and agents reach this server; default: http://host:port")
    ] = None
    database_pool_size: Annotated[int, Field(ge=1, le=200, description="Postgres connections at most")] = 20
    grace_seconds: Annotated[float, Field(gt=0, description="how long requests may finish at a stop")] = 10.0
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
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'spunto.db'}"

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
