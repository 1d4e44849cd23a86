"""The settings, from environment variables. No secret has a default."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting is the environment variable of its name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Number of server processes.")
    database_url: str | None = Field(
        None,
        description="The store: `sqlite:///path` or `postgresql://user:password@host/name`; wins over `DATABASE_*`. "
        "Without either it is `sqlite:///var/statistics.sqlite3`.",
    )
    database_host: str | None = Field(None, description="Host of the PostgreSQL store.")
    database_port: int = Field(5432, ge=1, le=65535, description="Port of the PostgreSQL store.")
    database_name: str = Field("statistics", description="Name of the PostgreSQL database.")
    database_user: str = Field("statistics", description="User of the PostgreSQL store.")
    database_password: SecretStr | None = Field(None, description="Password of the PostgreSQL store.")
    migrate_on_start: bool = Field(True, description="Bring the store's tables up to date at start.")
    jwt_sign_key: SecretStr | None = Field(
        None,
        description="Shared key of HS512 tokens, at least 32 bytes: a shorter one is warned of at start. The "
        "service does not start without a key.",
    )
    jwt_algorithm: Literal["HS512", "RS256", "ES256"] = Field(
        "HS512", description="The one algorithm that is accepted."
    )
    jwt_jwks: str | None = Field(None, description="URL or file of the public keys (JWKS), for RS256 and ES256.")
    jwt_leeway_s: int = Field(60, ge=0, le=600, description="Seconds that clocks may differ by.")
    trust_unauthenticated: bool = Field(
        False, description="Treat a request without a token as the service itself, as behind FlexiHome's gateway."
    )
    max_body_bytes: int = Field(32 * 2**20, ge=1024, description="Largest body in bytes, also when unpacked.")
    max_households_per_query: int = Field(1000, ge=1, description="Number of households that one query may name.")
    kept_answers_bytes: int = Field(
        64 * 2**20,
        ge=0,
        description="Memory for recent answers, of each server process; they are given again until something of their "
        "household changes.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    log_format: Literal["json", "console"] = Field("json", description="`json`, a line an event, or `console`.")

    @property
    def store_url(self) -> str:
        """The URL of the store, from `DATABASE_URL` or `DATABASE_*`."""
        if self.database_url:
            return self.database_url
        if not self.database_host:
            return "sqlite:///var/statistics.sqlite3"
        password = self.database_password.get_secret_value() if self.database_password else None
        return sa.URL.create(
            "postgresql", self.database_user, password, self.database_host, self.database_port, self.database_name
        ).render_as_string(hide_password=False)
