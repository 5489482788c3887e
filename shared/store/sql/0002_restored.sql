-- Which log this is. A backup carries the name along, so a later life of the same log is known by it; another log has another name.
CREATE TABLE es.log (
    id  uuid    NOT NULL DEFAULT gen_random_uuid(),
    one boolean PRIMARY KEY DEFAULT true CHECK (one)
);
INSERT INTO es.log DEFAULT VALUES;
GRANT SELECT ON es.log TO {app};

-- What a later life of this log had published before the log was restored from a backup: the public form alone, as it is on Kafka.
CREATE TABLE es.lost (
    position       bigint PRIMARY KEY,
    stream_id      text   NOT NULL,
    public_version int    NOT NULL,
    public         bytea  NOT NULL,  -- without its position, as in es.events
    CONSTRAINT lost_stream_version UNIQUE (stream_id, public_version)
);
GRANT SELECT ON es.lost TO {app};
