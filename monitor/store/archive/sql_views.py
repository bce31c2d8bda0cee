"""Tables and views of packed hours, from which plain ``sqlite3`` and Datasette read single results.

``PACKED_SQL`` and ``READABLE_SQL`` are published migrations and are never edited; see ``store/schema.py``.
"""

from __future__ import annotations


def _number_sql(column: str, place: str, width: str) -> str:
    """Return SQL for the number at a position of a column that ``store/archive/codec.py`` encoded."""
    shown = f"substr('000000000000000' || substr(hex({column}), 1 + ({place}) * ({width}), {width}), -16)"
    each = (f"(instr('123456789ABCDEF', substr({shown}, {16 - at}, 1)) << {4 * at})" for at in range(16))
    return f"({' + '.join(each)})"


def _value_sql(column: str) -> str:
    number = _number_sql(column, "e.key", f"2 * length({column}) / s.count")
    return f"CASE length({column}) WHEN 0 THEN 0 ELSE {number} END"


_CODE_SQL = f"""CASE
        WHEN length(s.kinds) <= 3 THEN 0
        WHEN length(s.kinds) <= 6 THEN
            (instr('123456789ABCDEF', substr(hex(s.codes), 1 + e.key / 4, 1)) >> (3 - e.key % 4)) & 1
        WHEN length(s.kinds) <= 12 THEN
            (instr('123456789ABCDEF', substr(hex(s.codes), 1 + e.key / 2, 1)) >> (2 - 2 * (e.key % 2))) & 3
        WHEN length(s.kinds) <= 48 THEN {_number_sql("s.codes", "e.key", "1")}
        WHEN length(s.kinds) <= 768 THEN {_number_sql("s.codes", "e.key", "2")}
        WHEN length(s.kinds) <= 196608 THEN {_number_sql("s.codes", "e.key", "4")}
        ELSE {_number_sql("s.codes", "e.key", "8")}
    END"""

PACKED_SQL = f"""
-- What many results have in common; measured: whether they have a latency.
CREATE TABLE kind (
    id INTEGER PRIMARY KEY,
    outcome INTEGER NOT NULL CHECK (outcome IN (0, 1, 2)),
    attempts INTEGER NOT NULL,
    reason INTEGER REFERENCES reason (id),
    measured INTEGER NOT NULL CHECK (measured IN (0, 1))
) STRICT;
-- The results of a check in an hour; see store/packing.py. id: the hour since 1970 * 268435456 + the check's number.
CREATE TABLE packed (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    start INTEGER NOT NULL,
    step INTEGER NOT NULL,
    late BLOB NOT NULL,
    floor INTEGER NOT NULL,
    latency BLOB NOT NULL,
    kinds BLOB NOT NULL,
    codes BLOB NOT NULL,
    batch INTEGER NOT NULL,
    stride INTEGER NOT NULL,
    batches BLOB NOT NULL
) STRICT;
-- Before this moment everything is packed, from it on everything is a row of result.
CREATE TABLE packing (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    until INTEGER NOT NULL CHECK (until % 3600000 = 0)
) STRICT;
INSERT INTO packing VALUES (1, 0);
CREATE VIEW fresh AS SELECT * FROM result WHERE at >= (SELECT until FROM packing);
CREATE VIEW settled AS SELECT * FROM packed WHERE id < (SELECT until / 3600000 * 268435456 FROM packing);
CREATE VIEW unpacked AS
SELECT s.id / 268435456 * 3600000 + s.start + e.key * s.step + {_value_sql("s.late")} AS at,
    s.id % 268435456 AS probed,
    s.floor + {_value_sql("s.latency")} AS latency,
    s.batch + e.key * s.stride + {_value_sql("s.batches")} AS batch,
    s.kinds, {_CODE_SQL} AS code
FROM settled s, json_each('[' || substr(replace(hex(zeroblob(s.count)), '00', ',0'), 2) || ']') e;
-- Every single result, for people.
CREATE VIEW readable_results AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', r.at / 1000, 'unixepoch') || printf('.%03dZ', r.at % 1000) AS time,
    p.server, p.name AS "check",
    CASE r.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'fail' ELSE 'unknown' END AS outcome,
    r.attempts, r.latency / 1000.0 AS latency_ms, coalesce(t.text, '') AS reason, r.batch
FROM fresh r JOIN probed p ON p.id = r.probed LEFT JOIN reason t ON t.id = r.reason
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%S', u.at / 1000, 'unixepoch') || printf('.%03dZ', u.at % 1000),
    p.server, p.name,
    CASE k.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'fail' ELSE 'unknown' END,
    k.attempts, CASE k.measured WHEN 1 THEN u.latency / 1000.0 END, coalesce(t.text, ''), u.batch
FROM unpacked u JOIN probed p ON p.id = u.probed
    JOIN kind k ON k.id = {_number_sql("u.kinds", "u.code", "6")} LEFT JOIN reason t ON t.id = k.reason;
"""


def _fast_number_sql(column: str, place: str, width: str) -> str:
    """Return faster SQL for the same number as ``_number_sql``: it reads only the bytes at that position."""
    bytes_of_it = f"substr({column}, 1 + ({place}) * ({width}) / 2, ({width}) / 2 + 1)"
    shown = (
        f"substr('000000000000000' || substr(hex({bytes_of_it}), 1 + ({place}) * ({width}) % 2, {width}), -{{most}})"
    )

    def value(most: int) -> str:
        text = shown.format(most=most)
        return " + ".join(
            f"(instr('123456789ABCDEF', substr({text}, {1 + at}, 1)) << {4 * (most - 1 - at)})" for at in range(most)
        )

    cases = " ".join(f"WHEN ({width}) <= {most} THEN {value(most)}" for most in (4, 6))
    return f"(CASE {cases} ELSE {value(16)} END)"


def _fast_value_sql(column: str) -> str:
    number = _fast_number_sql(column, "e.key", f"2 * length({column}) / s.count")
    return f"CASE length({column}) WHEN 0 THEN 0 ELSE {number} END"


READABLE_SQL = f"""
DROP VIEW readable_results;
DROP VIEW unpacked;
CREATE INDEX kind_as_packed ON kind (printf('%06X', id));
-- The hours that have packed results, and those between them.
CREATE VIEW packed_hour AS
WITH RECURSIVE span (first, last) AS (
    SELECT (SELECT min(id) FROM settled) / 268435456, (SELECT max(id) FROM settled) / 268435456
), hours (number) AS (
    SELECT first FROM span WHERE first IS NOT NULL
    UNION ALL SELECT number + 1 FROM hours WHERE number < (SELECT last FROM span)
)
SELECT number, strftime('%Y-%m-%dT%H', number * 3600, 'unixepoch') AS hour FROM hours;
-- Hour by hour and check by check, so that those which are not asked for are not unpacked.
CREATE VIEW unpacked AS
SELECT h.hour, s.id / 268435456 * 3600000 + s.start + e.key * s.step + {_fast_value_sql("s.late")} AS at,
    p.id AS probed, p.server, p.name,
    s.floor + {_fast_value_sql("s.latency")} AS latency,
    s.batch + e.key * s.stride + {_fast_value_sql("s.batches")} AS batch,
    s.kinds, {_CODE_SQL} AS code
FROM packed_hour h CROSS JOIN probed p CROSS JOIN settled s ON s.id = h.number * 268435456 + p.id
    CROSS JOIN json_each('[' || substr(replace(hex(zeroblob(s.count)), '00', ',0'), 2) || ']') e;
-- Every single result, for people. hour (UTC) is quick to look for: other hours are not unpacked.
CREATE VIEW readable_results AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', r.at / 1000, 'unixepoch') || printf('.%03dZ', r.at % 1000) AS time,
    p.server, p.name AS "check",
    CASE r.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'fail' ELSE 'unknown' END AS outcome,
    r.attempts, r.latency / 1000.0 AS latency_ms, coalesce(t.text, '') AS reason, r.batch,
    strftime('%Y-%m-%dT%H', r.at / 1000, 'unixepoch') AS hour
FROM fresh r JOIN probed p ON p.id = r.probed LEFT JOIN reason t ON t.id = r.reason
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%S', u.at / 1000, 'unixepoch') || printf('.%03dZ', u.at % 1000),
    u.server, u.name,
    CASE k.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'fail' ELSE 'unknown' END,
    k.attempts, CASE k.measured WHEN 1 THEN u.latency / 1000.0 END, coalesce(t.text, ''), u.batch, u.hour
FROM unpacked u JOIN kind k ON printf('%06X', k.id) = hex(substr(u.kinds, 1 + 3 * u.code, 3))
    LEFT JOIN reason t ON t.id = k.reason;
"""
