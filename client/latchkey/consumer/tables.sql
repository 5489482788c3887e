-- What a consumer keeps in the database it writes to: how far it is, which stream is at which version, and what it put aside.
CREATE SCHEMA IF NOT EXISTS {schema};

CREATE TABLE IF NOT EXISTS {schema}.checkpoints (
    projection text NOT NULL,
    version int NOT NULL,
    source text NOT NULL,
    topic_epoch int NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    last_digest bytea,                      -- SHA-256 of the record before next_offset
    last_position bigint NOT NULL DEFAULT 0, -- the publisher's position up to which this partition was read
    declared boolean NOT NULL DEFAULT false, -- a stream may be seen first above version 1: what came before is known to be gone
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, version, source, topic_epoch, partition)
);

CREATE TABLE IF NOT EXISTS {schema}.seen (
    projection text NOT NULL,
    version int NOT NULL,
    stream_id text NOT NULL,
    last_version bigint NOT NULL,
    PRIMARY KEY (projection, version, stream_id)
);

CREATE TABLE IF NOT EXISTS {schema}.parked (
    projection text NOT NULL,
    version int NOT NULL,
    source text NOT NULL,
    topic_epoch int NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,               -- below 0: it came from the feed, where its position is -"offset"
    stream_id text,
    stream_version bigint,
    raw bytea,                              -- the whole record, at most 1 MiB; a larger one is not kept
    digest bytea NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    attempts int NOT NULL DEFAULT 1,
    wanted boolean NOT NULL DEFAULT false,  -- an operator asked for another try
    first_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, version, source, topic_epoch, partition, "offset")
);

CREATE UNIQUE INDEX IF NOT EXISTS parked_by_stream ON {schema}.parked (projection, version, stream_id, stream_version);
