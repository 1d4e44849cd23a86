"""The tables. Bulk tables have the household first in their key, so that they can be sharded by it."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

#: SQLite gives a row number of its own only to INTEGER keys.
_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

households = sa.Table(
    "households",
    metadata,
    sa.Column("household_no", _Number, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("timezone", sa.String(64), nullable=False),
    sa.Column("country", sa.String(2)),
    sa.Column("zone", sa.String(64)),
    sa.Column("api_key", sa.String(128), unique=True),
    sa.Column("meter_id", sa.String(128), unique=True),
    sa.Column("register_unit", sa.String(8), nullable=False),
    sa.Column("billing_day", sa.Integer, nullable=False),
    sa.Column("contracted_power_kva", sa.Double),
    sa.Column("currency", sa.String(3)),
    sa.Column("more", sa.JSON, nullable=False),
    sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_event_no", sa.Integer, nullable=False, server_default="0"),
    sa.Column("in_groups", sa.Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,  # a number is never used again, so nothing of an erased household can come back
)


def _household_key() -> sa.Column[int]:
    return sa.Column("household_no", _Number, primary_key=True, autoincrement=False)


channels = sa.Table(
    "channels",
    metadata,
    _household_key(),
    sa.Column("channel_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("meter", sa.String(64), nullable=False),
    sa.Column("quantity", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("unit", sa.String(8), nullable=False),
    sa.Column("declared", sa.Boolean, nullable=False),
    sa.Column("modulus_milli", sa.BigInteger),
    sa.Column("max_power_w", sa.Double),
    sa.Column("resolution_milli", sa.BigInteger),
    sa.Column("gap_limit_s", sa.Integer, nullable=False),
    sa.Column("first_us", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger),
    sa.Column("last_value_milli", sa.BigInteger),
    sa.Column("reading_count", sa.BigInteger, nullable=False),
    sa.Column("first_day", sa.Integer),
    sa.Column("last_day", sa.Integer),
    sa.Column("energy_milliwh", sa.BigInteger, nullable=False),
    sa.Column("measured_s", sa.BigInteger, nullable=False),
    sa.Column("estimated_s", sa.BigInteger, nullable=False),
    sa.Column("sample_count", sa.BigInteger, nullable=False),
    sa.Column("sample_sum_milli", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("household_no", "meter", "quantity", "kind"),
)

meter_events = sa.Table(
    "meter_events",
    metadata,
    _household_key(),
    sa.Column("event_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("meter", sa.String(64), nullable=False),
    sa.Column("quantity", sa.String(64), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("old_end_milli", sa.BigInteger, nullable=False),
    sa.Column("new_start_milli", sa.BigInteger, nullable=False),
)

device_tokens = sa.Table(
    "device_tokens",
    metadata,
    sa.Column("token_id", sa.String(32), primary_key=True),
    sa.Column("household_no", _Number, nullable=False, index=True),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("may_write", sa.Boolean, nullable=False),
    sa.Column("label", sa.String(128), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger),
    sa.Column("revoked_us", sa.BigInteger),
)

readings = sa.Table(
    "readings",
    metadata,
    _household_key(),
    sa.Column("channel_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("carry", sa.BigInteger),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "50"},
)

profiles = sa.Table(
    "profiles",
    metadata,
    _household_key(),
    sa.Column("channel_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("energy_milliwh", sa.BigInteger, nullable=False),
    sa.Column("measured_s", sa.BigInteger, nullable=False),
    sa.Column("estimated_s", sa.BigInteger, nullable=False),
    sa.Column("sample_count", sa.BigInteger, nullable=False),
    sa.Column("sample_sum_milli", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "50"},
)

revisions = sa.Table(
    "revisions",
    metadata,
    _household_key(),
    sa.Column("channel_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("replaced_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value_milli", sa.BigInteger, nullable=False),
    sa.Column("length_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: The outbox: the columns of Debezium's outbox event router, a number that keeps the order, and when it was told.
events = sa.Table(
    "events",
    metadata,
    sa.Column("sequence", _Number, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Uuid, nullable=False, unique=True),
    sa.Column("aggregatetype", sa.String(255), nullable=False),
    sa.Column("aggregateid", sa.String(255), nullable=False, index=True),
    sa.Column("type", sa.String(255), nullable=False),
    sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("told_us", sa.BigInteger),
    sa.Index(
        "ix_events_untold",
        "sequence",
        sqlite_where=sa.text("told_us IS NULL"),
        postgresql_where=sa.text("told_us IS NULL"),
    ),
    sqlite_autoincrement=True,
)

processed_events = sa.Table(
    "processed_events",
    metadata,
    sa.Column("event_type", sa.String(255), primary_key=True),
    sa.Column("event_id", sa.String(255), primary_key=True),
    sa.Column("processed_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

waiting_events = sa.Table(
    "waiting_events",
    metadata,
    sa.Column("sequence", _Number, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.String(255), nullable=False),
    sa.Column("event_type", sa.String(255), nullable=False),
    sa.Column("key", sa.String(255), nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_us", sa.BigInteger, nullable=False),
    sa.Column("not_before_us", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String(1000), nullable=False),
    sa.UniqueConstraint("event_type", "event_id"),
    sqlite_autoincrement=True,
)

set_aside_events = sa.Table(
    "set_aside_events",
    metadata,
    sa.Column("sequence", _Number, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.String(255), nullable=False),
    sa.Column("event_type", sa.String(255), nullable=False),
    sa.Column("key", sa.String(255), nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.String(1000), nullable=False),
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("published_us", sa.BigInteger),
    sqlite_autoincrement=True,
)

#: Who of several processes does what only one should do at a time.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)

#: Forecasts: a row for each issue and UTC day; the body packs the day's 96 quarter-hours.
forecasts = sa.Table(
    "forecasts",
    metadata,
    _household_key(),
    sa.Column("measure", sa.String(64), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("issued_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.String(32), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Up to when telemetry was fetched from other stores.
pull_cursors = sa.Table(
    "pull_cursors",
    metadata,
    _household_key(),
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Carbon intensities of grids: what one source tells of a zone by one method, and its values with their issues.
intensity_series = sa.Table(
    "intensity_series",
    metadata,
    sa.Column("series_no", _Number, primary_key=True, autoincrement=True),
    sa.Column("zone", sa.String(32), nullable=False),
    sa.Column("source", sa.String(32), nullable=False),
    sa.Column("basis", sa.String(16), nullable=False),
    sa.Column("boundary", sa.String(16), nullable=False),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.UniqueConstraint("zone", "source", "basis", "boundary", "scope"),
)

intensities = sa.Table(
    "intensities",
    metadata,
    sa.Column("series_no", _Number, primary_key=True, autoincrement=False),
    sa.Column("start_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("issued_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("length_us", sa.BigInteger, nullable=False),
    sa.Column("intensity_mg_per_kwh", sa.Integer, nullable=False),
    sa.Column("updated_us", sa.BigInteger, nullable=False),
    sa.Column("quality", sa.String(64)),
    sqlite_with_rowid=False,
)

#: Tariff documents, each as it was put; of several revisions the newest counts.
tariffs = sa.Table(
    "tariffs",
    metadata,
    sa.Column("tariff_id", sa.String(64), primary_key=True),
    sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("document", sa.JSON, nullable=False),
    sqlite_with_rowid=False,
)

#: All contracts of a household, each time as they were put.
contracts = sa.Table(
    "contracts",
    metadata,
    _household_key(),
    sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("contracts", sa.JSON, nullable=False),
    sqlite_with_rowid=False,
)

#: All goals of a household, each time as they were put.
goals = sa.Table(
    "goals",
    metadata,
    _household_key(),
    sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("goals", sa.JSON, nullable=False),
    sqlite_with_rowid=False,
)

#: Series of prices and factors, and their values: a row for each UTC day and revision, 96 quarter-hours packed.
price_series = sa.Table(
    "price_series",
    metadata,
    sa.Column("series_no", _Number, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("unit", sa.String(16), nullable=False),
    sa.Column("interval_s", sa.Integer, nullable=False),
    sa.Column("market_time_zone", sa.String(64)),
    sa.Column("title", sa.String(200)),
    sa.Column("source", sa.String(500)),
)

price_days = sa.Table(
    "price_days",
    metadata,
    sa.Column("series_no", _Number, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: How many times something has changed that is no household's.
change_counts = sa.Table(
    "change_counts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("changes", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Groups of homes, and communities; who is in them when, of which days each shares its data with which of them.
home_groups = sa.Table(
    "home_groups",
    metadata,
    sa.Column("group_no", _Number, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("timezone", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(16)),
    sa.Column("changes", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,  # what homes were told of a group must not be taken for another's
)

group_members = sa.Table(
    "group_members",
    metadata,
    _household_key(),
    sa.Column("group_no", _Number, primary_key=True, autoincrement=False, index=True),
    sa.Column("from_day", sa.Integer, nullable=False),
    sa.Column("to_day", sa.Integer, nullable=False),
    sa.Column("source", sa.String(32)),
    sa.Column("coefficients", sa.JSON(none_as_null=True)),
    sa.Column("summed_changes", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

group_shares = sa.Table(
    "group_shares",
    metadata,
    _household_key(),
    sa.Column("group_no", _Number, primary_key=True, autoincrement=False, index=True),
    sa.Column("from_day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("to_day", sa.Integer),
    sqlite_with_rowid=False,
)

#: UTC days of homes in groups that have changed, each with the newest change of its home that did it.
group_changes = sa.Table(
    "group_changes",
    metadata,
    _household_key(),
    sa.Column("first_day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last_day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("change", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Sums of groups' quarter-hours, derived from profiles: a row for each part and UTC day.
group_sums = sa.Table(
    "group_sums",
    metadata,
    sa.Column("group_no", _Number, primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: What homes were told of their groups: it stays as it was told.
group_days = sa.Table(
    "group_days",
    metadata,
    sa.Column("group_no", _Number, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("homes", sa.Integer, nullable=False),
    sa.Column("told", sa.JSON, nullable=False),
    sqlite_with_rowid=False,
)

group_quartiles = sa.Table(
    "group_quartiles",
    metadata,
    sa.Column("group_no", _Number, primary_key=True, autoincrement=False),
    sa.Column("measure", sa.String(64), primary_key=True),
    sa.Column("first_day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("end_day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("traits", sa.String(64), primary_key=True),
    sa.Column("homes", sa.Integer, nullable=False),
    sa.Column("points", sa.JSON, nullable=False),
    sqlite_with_rowid=False,
)

#: Sharded by household.
BULK_TABLES = (readings, profiles, revisions, forecasts, contracts, goals)
#: Small, and read beside those of any household: a copy on each node.
REFERENCE_TABLES = (tariffs, price_series, price_days, change_counts)
