-- The ledger of a sweep, format 1. Declared results are JSON with float32 numbers as eight hex digits of their bits: what the
-- digest is made of. Columns of the same names are derived from them, for reading.

CREATE TABLE sweep ( -- one row
	law      INTEGER NOT NULL, -- version of the law that the results follow
	name     TEXT NOT NULL,
	about    TEXT NOT NULL,
	card     TEXT NOT NULL,    -- its text
	settings TEXT NOT NULL,    -- JSON list: what --set changed in it
	plan     TEXT NOT NULL,    -- SHA-256 over the sorted identities of the cells
	digest   TEXT              -- SHA-256 over the results, once all cells have ended
) STRICT;

CREATE TABLE data (
	name   TEXT PRIMARY KEY, -- and the numbers that the set is made by
	sha256 TEXT NOT NULL
) STRICT;

CREATE TABLE runs ( -- the processes that worked on the sweep
	run     INTEGER PRIMARY KEY,
	started TEXT NOT NULL,
	build   TEXT NOT NULL,
	engine  TEXT NOT NULL,
	machine TEXT NOT NULL
) STRICT;

CREATE TABLE cells (
	id          TEXT PRIMARY KEY,        -- SHA-256 of description
	place       INTEGER NOT NULL,        -- in the card
	arm         TEXT NOT NULL,
	axes        TEXT NOT NULL,           -- JSON object
	seed        INTEGER NOT NULL,
	params      INTEGER NOT NULL,        -- D
	d           INTEGER NOT NULL,
	steps       INTEGER NOT NULL,        -- to do
	description TEXT NOT NULL            -- canonical JSON (RFC 8785) of all that the result follows from
) STRICT;

CREATE INDEX cells_by_place ON cells (place);

CREATE TABLE results (
	id            TEXT PRIMARY KEY REFERENCES cells (id),
	run           INTEGER NOT NULL REFERENCES runs (run),
	ended         TEXT NOT NULL,
	declared      TEXT NOT NULL,         -- JSON
	train_loss    REAL,                  -- NULL where it is not finite
	test_loss     REAL,
	test_accuracy REAL,                  -- NULL where there are no test rows
	performance   REAL NOT NULL
) STRICT;
