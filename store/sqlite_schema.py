"""The tables of the SQLite store, and the steps that bring an older file up to date."""

import sqlite3

_STEPS = (
    """
    CREATE TABLE clocks (boot TEXT PRIMARY KEY, clock_offset REAL NOT NULL, uptime REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE period (one INTEGER PRIMARY KEY CHECK (one = 1), day INTEGER NOT NULL, began REAL NOT NULL);
    CREATE TABLE spent (account TEXT PRIMARY KEY, tokens INTEGER NOT NULL, cost INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE reservations (
        claim TEXT, account TEXT, tokens INTEGER NOT NULL, cost INTEGER NOT NULL, expires REAL NOT NULL,
        PRIMARY KEY (claim, account)
    ) WITHOUT ROWID;
    CREATE TABLE buckets (
        name TEXT, per_minute INTEGER, level REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (name, per_minute)
    ) WITHOUT ROWID;
    CREATE TABLE writers (writer TEXT PRIMARY KEY, number INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE usage (
        day INTEGER, client TEXT, mixture TEXT, model TEXT, requests INTEGER NOT NULL, prompt INTEGER NOT NULL,
        completion INTEGER NOT NULL, cached INTEGER NOT NULL, cost INTEGER NOT NULL,
        PRIMARY KEY (day, client, mixture, model)
    ) WITHOUT ROWID;
    CREATE TABLE records (hash TEXT PRIMARY KEY, record BLOB NOT NULL, expires REAL NOT NULL);
    CREATE INDEX records_by_expiry ON records (expires);
    CREATE TABLE counted (once TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX counted_by_time ON counted (at);
    CREATE TABLE tallies (
        member TEXT, kind TEXT, name TEXT, count INTEGER NOT NULL, weight REAL NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (member, kind, name)
    ) WITHOUT ROWID;
    """,
)
"""Step n brings a file from version n to n + 1. Steps that were released never change."""

VERSION = len(_STEPS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file up to date, each step in a transaction. sqlite3.DatabaseError if a newer gateway has written it."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise sqlite3.DatabaseError(f"was written by a newer version of the gateway (schema {version})")
    for number in range(version, VERSION):
        try:
            db.executescript(f"BEGIN IMMEDIATE; {_STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
        except sqlite3.OperationalError:
            if db.in_transaction:
                db.execute("ROLLBACK")
            (now,) = db.execute("PRAGMA user_version").fetchone()
            if now <= number:  # otherwise another process has made the step meanwhile
                raise
