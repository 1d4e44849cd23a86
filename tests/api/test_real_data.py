"""From FlexiHome's call for real data to what its app reads: producer, outbox, handler, InfluxDB, store."""

from __future__ import annotations

from influx_server import InfluxServer, Point
from measured import us
from servers import RunningService
from upstream_server import wait_until

HOUR_NS = 3_600 * 10**9


def test_telemetry_that_is_asked_for_is_fetched_and_visible(database_url: str) -> None:
    start_ns = us("2023-01-01") * 1000
    with InfluxServer() as influx, RunningService({"DATABASE_URL": database_url, **influx.settings()}) as service:
        influx.points = [Point("key1", "energyImported", start_ns + n * HOUR_NS, 1_000 + n * n) for n in range(25)]
        settings = {"api_key": "key1", "register_unit": "Wh"}
        assert service.call("PUT", "/households/home1", json=settings).status_code == 201
        asked = {"user_id": "home1", "start_datetime": "2023-01-01T00:00:00Z", "end_datetime": "2023-01-02T00:00:00Z"}
        assert service.call("POST", "/users-get-real-data-producer", params=asked).status_code == 201

        def values() -> list[float | None]:
            query = {"user_ids": "home1", "start_date": "2023-01-01", "end_date": "2023-01-01T23:59:59Z"}
            answer = service.call("GET", "/energy-consumption", params={**query, "group_by": "hourly"})
            assert answer.status_code == 200, answer.text
            return [one["value"] for one in answer.json()[0]["metrics"]]

        wait_until(lambda: bool(values()), what="telemetry")
        assert values()[:-1] == [2 * n + 1 for n in range(23)]
        (query,) = influx.queries
        assert (query.start_ns, query.stop_ns) == (start_ns, start_ns + 24 * HOUR_NS + 1_000)
