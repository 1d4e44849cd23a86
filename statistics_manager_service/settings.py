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
    kafka_broker_endpoint: str | None = Field(
        None,
        description="Kafka's brokers, `host:port[,host:port]`. Without it events are handed to their handlers in the "
        "service itself.",
    )
    kafka_topic_prefix: str = Field(
        "hems",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="Topics are `<prefix>.statistics`, `<prefix>.account`, …",
    )
    kafka_relay: bool = Field(
        False, description="Send events from the outbox to Kafka; `false` where Debezium reads the table `events`."
    )
    kafka_consumer: bool = Field(True, description="Handle the events of Kafka's topics in the processes that serve.")
    kafka_group: str = Field("StatisticsManagerService", description="Consumer group.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in to the brokers, with a protocol of SASL."
    )
    kafka_sasl_username: str | None = Field(None, description="Name to log in to the brokers with.")
    kafka_sasl_password: SecretStr | None = Field(None, description="Password to log in to the brokers with.")
    kafka_ssl_ca: str | None = Field(None, description="File of the authorities that sign the brokers' certificates.")
    event_retry_first_s: float = Field(
        1, gt=0, le=3600, description="Seconds until an event whose handling failed is tried again; doubled each time."
    )
    event_retry_last_s: float = Field(300, gt=0, le=86_400, description="Most seconds between two tries of an event.")
    event_retry_for_s: float = Field(
        86_400, gt=0, description="Seconds after which an event that still fails is set aside."
    )
    event_keep_days: float = Field(7, gt=0, description="Days that events stay in the outbox after they were sent.")
    event_remember_days: float = Field(
        90,
        gt=0,
        description="Days that handled events are known by their ids, so that one that comes again does nothing; "
        "longer than Kafka keeps messages.",
    )
    account_manager_endpoint: str | None = Field(
        None, description="Base URL of the account manager. Without it the service knows its own households alone."
    )
    account_ttl_s: float = Field(300, ge=0, description="Seconds after which an account is asked for again.")
    account_timeout_s: float = Field(5, gt=0, le=60, description="Seconds that the account manager may take.")
    token_blacklist_database_url: SecretStr | None = Field(
        None, description="Database of FlexiHome's table `token_blacklist`; tokens in it are refused."
    )
    token_blacklist_column: str = Field(
        "token", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", description="Its column that holds the token."
    )
    token_blacklist_cache_s: float = Field(30, ge=0, le=3600, description="Seconds that its answer counts for.")
    token_blacklist_unreachable: Literal["refuse", "accept"] = Field(
        "refuse", description="What becomes of tokens while it does not answer: 503, or they count as not listed."
    )
    influx_url: str | None = Field(None, description="Base URL of an InfluxDB 2 that telemetry is fetched from.")
    influx_org: str | None = Field(None, description="Its organisation.")
    influx_bucket: str = Field("interconnect-eot-meters", description="Its bucket.")
    influx_token: SecretStr | None = Field(None, description="Its token, with the right to read the bucket.")
    influx_timeout_s: float = Field(30, gt=0, le=600, description="Seconds that it may take for each page.")
    forecast_api_url: str | None = Field(
        None, description="Base URL of the forecast service. Without it forecasts are made here."
    )
    forecast_timeout_s: float = Field(10, gt=0, le=120, description="Seconds that the forecast service may take.")
    forecast_daily: bool = Field(
        True,
        description="Ask for the forecasts of today and tomorrow by itself; `false` where a scheduler runs "
        "`statistics-manager job forecasts`, as for a fleet.",
    )
    carbon_source: Literal["none", "sentinel", "electricity_maps", "neso", "entsoe"] | None = Field(
        None,
        description="Where the grid's carbon intensity is fetched from: `sentinel`, `electricity_maps`, `neso`, "
        "`entsoe` or `none`; unless told it is `sentinel` where `HOST_SENTINEL` is set.",
    )
    carbon_boundary: Literal["lifecycle", "direct"] = Field(
        "lifecycle",
        description="Which emissions are asked of Electricity Maps, or worked out of ENTSO-E's generation: "
        "`lifecycle`, or `direct`, those of the stack.",
    )
    carbon_history: bool = Field(
        True,
        description="Keep yesterday and today of the carbon source up to date; `false` where `statistics-manager "
        "carbon fetch` does.",
    )
    carbon_zone: str = Field(
        "PT", pattern=r"^[A-Z]{2}[A-Z0-9-]{0,30}$", description="Zone that is asked for if none is told."
    )
    carbon_ttl_s: float = Field(
        3600, ge=0, description="Seconds after which a forecast, or the history, is asked for again."
    )
    carbon_timeout_s: float = Field(10, gt=0, le=120, description="Seconds that the carbon source may take.")
    host_sentinel: str | None = Field(None, description="Base URL of the sentinel API.")
    sentinel_token: SecretStr | None = Field(None, description="Its token, if it needs one.")
    electricity_maps_url: str = Field("https://api.electricitymap.org", description="Base URL of Electricity Maps.")
    electricity_maps_token: SecretStr | None = Field(None, description="Its token.")
    electricity_maps_horizon_h: Literal[6, 24, 48, 72] | None = Field(
        None, description="Hours that its forecasts are to reach ahead; unless told, what the plan has."
    )
    neso_url: str = Field("https://api.carbonintensity.org.uk", description="Base URL of NESO's carbon intensity API.")
    octopus_url: str = Field("https://api.octopus.energy", description="Base URL of Octopus Energy's API.")
    omie_url: str = Field("https://www.omie.es", description="Base URL of OMIE, the Iberian market.")
    entsoe_url: str = Field(
        "https://web-api.tp.entsoe.eu/api", description="URL of the API of ENTSO-E's Transparency Platform."
    )
    entsoe_token: SecretStr | None = Field(None, description="Its security token.")
    esios_url: str = Field("https://api.esios.ree.es", description="Base URL of ESIOS, Red Eléctrica's prices.")
    esios_token: SecretStr | None = Field(None, description="Its token, for indicators beside PVPC.")
    price_timeout_s: float = Field(30, gt=0, le=600, description="Seconds that a source of prices may take for a page.")
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
