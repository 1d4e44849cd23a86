"""What a forked process has behind it: the imports of the service, of which no garbage collection needs to know."""

import gc

import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite  # noqa: F401
import uvicorn.lifespan.on
import uvicorn.loops.uvloop
import uvicorn.protocols.http.httptools_impl  # noqa: F401

import statistics_manager_service.cli  # noqa: F401

gc.collect()
gc.freeze()
