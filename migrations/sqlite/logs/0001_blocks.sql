-- One segment of the log store: compressed blocks of lines in the order of their arrival.
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,          -- 1, 2, 3, …
    min_at INTEGER NOT NULL,         -- time of the oldest line, ns since the epoch
    max_at INTEGER NOT NULL,         -- time of the newest line
    newest INTEGER NOT NULL,         -- the largest max_at of this and all blocks before it
    lines INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,     -- before compression
    levels BLOB NOT NULL             -- seven counts of lines by level, u16 little endian
);

-- Apart from `blocks`, so that a walk over times does not read texts.
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL               -- one zstd frame
);

-- Words of each block up to `indexed_to`. The text stands in `texts`, the words are made by us.
CREATE VIRTUAL TABLE grams USING fts5(words, content='', columnsize=0, detail=none, tokenize='ascii');

CREATE TABLE state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    indexed_to INTEGER NOT NULL,     -- last block with its words in `grams`
    writes INTEGER NOT NULL,         -- transactions so far: tells a writer that another one was here
    began INTEGER                    -- log time of the first lines, ns since the epoch
);
INSERT INTO state (only, indexed_to, writes) VALUES (1, 0, 0);

-- How far the ingest log has been stored, with everything up to the end of this segment, stands in the
-- tables of `follower/0001_positions.sql`.
