-- What the devices told while a sweep was at work, where they tell anything. Nothing here is a result: other runs of the same cells give
-- other numbers. A ledger of an earlier build gets these tables when a run goes on with it.

CREATE TABLE IF NOT EXISTS energy (
	id     TEXT PRIMARY KEY REFERENCES cells (id),
	joules REAL NOT NULL -- that its device used while it was trained and evaluated: its share of what its packs took, but for attempts that were given up
) STRICT;

CREATE TABLE IF NOT EXISTS readings ( -- one every half a minute
	run     INTEGER NOT NULL REFERENCES runs (run),
	at      TEXT NOT NULL,
	reading TEXT NOT NULL -- JSON: graph.Reading
) STRICT;
