-- The event store of one service. {app} and {read} are the roles that the service runs as and that people read with.
CREATE SCHEMA es;
GRANT USAGE ON SCHEMA es, public TO {app}, {read};
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA es GRANT SELECT ON TABLES TO {read};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {app};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {read};

-- CACHE 1 is part of the fence's proof: a session that hoards numbers would use old ones after the fence has passed them.
CREATE SEQUENCE es.events_position CACHE 1;
CREATE TABLE es.events (
    position       bigint      PRIMARY KEY DEFAULT nextval('es.events_position'),
    stream_type    text        NOT NULL,
    stream_id      text        NOT NULL,
    version        int         NOT NULL CHECK (version > 0),
    type           text        NOT NULL,
    schema_version smallint    NOT NULL,
    data           json        NOT NULL,  -- json keeps its bytes, which the hash needs; jsonb does not
    public         bytea,                 -- the CloudEvents JSON, encoded once; NULL: not published
    public_type    text,
    public_version int,
    states         jsonb,                 -- [[topic, key, text or null], …] for the compacted topics
    hash           bytea       NOT NULL,
    meta           json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT events_stream_version UNIQUE (stream_id, version),
    CONSTRAINT events_public_whole CHECK ((public IS NULL) = (public_type IS NULL) AND (public IS NULL) = (public_version IS NULL))
);
GRANT SELECT, INSERT ON es.events TO {app};
GRANT USAGE, SELECT ON SEQUENCE es.events_position TO {app};
GRANT SELECT ON SEQUENCE es.events_position TO {read};

CREATE FUNCTION es.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON es.events FOR EACH ROW EXECUTE FUNCTION es.refuse_change();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON es.events FOR EACH STATEMENT EXECUTE FUNCTION es.refuse_change();
ALTER TABLE es.events ENABLE ALWAYS TRIGGER events_append_only;
ALTER TABLE es.events ENABLE ALWAYS TRIGGER events_no_truncate;

CREATE TABLE es.commands (
    scope           text        NOT NULL,
    idempotency_key text        NOT NULL,
    body_hmac       bytea       NOT NULL,
    status          text        NOT NULL DEFAULT 'done',
    response        json        NOT NULL,  -- which streams at which versions, and public notes: never a secret, never personal data
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (scope, idempotency_key)
);
CREATE INDEX commands_created ON es.commands (created_at);
GRANT SELECT, INSERT, DELETE ON es.commands TO {app};

CREATE TABLE es.mail_outbox (
    id         text        PRIMARY KEY,
    to_enc     bytea       NOT NULL,
    body_enc   bytea       NOT NULL,
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON es.mail_outbox TO {app};

CREATE TABLE es.subject_keys (
    subject_id  text        PRIMARY KEY,
    wrapped_key bytea,
    created_at  timestamptz NOT NULL,
    shredded_at timestamptz,
    CONSTRAINT shredded_means_gone CHECK ((shredded_at IS NULL) = (wrapped_key IS NOT NULL))
);
GRANT SELECT, INSERT, UPDATE ON es.subject_keys TO {app};

CREATE TABLE es.relay (
    name         text        PRIMARY KEY,
    position     bigint      NOT NULL,
    next_offsets jsonb       NOT NULL DEFAULT '{{}}',
    updated_at   timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON es.relay TO {app};

-- Which table version of each inline view is written and read; `shape` is the version of the code that knows its columns.
CREATE TABLE es.active (
    projection text PRIMARY KEY,
    version    int  NOT NULL,
    shape      int  NOT NULL
);
GRANT SELECT ON es.active TO {app};

CREATE TABLE es.rebuilds (
    projection text        PRIMARY KEY,
    version    int         NOT NULL,
    shape      int         NOT NULL,
    position   bigint      NOT NULL,  -- everything at or below is in the new tables
    updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON es.rebuilds TO {app};

-- One round trip at the start of every append. The statements inside a VOLATILE function take a snapshot each, so `active`
-- is read after the shared lock is held: a rebuild that switches holds the exclusive side.
CREATE FUNCTION es.begin_append(OUT xid text, OUT active json) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1702258030, 1);
    xid := pg_current_xact_id()::text;
    SELECT coalesce(json_object_agg(a.projection, json_build_array(a.version, a.shape)), '{{}}') INTO active FROM es.active a;
END $$;

-- The first half of the fence: the highest position drawn so far, then who was inside an append at that moment.
-- A sequence that was never used says last_value = 1: is_called tells it apart from one that has given out 1.
CREATE FUNCTION es.fence(OUT high bigint, OUT holders text[]) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO high FROM es.events_position;
    SELECT coalesce(array_agg(l.virtualtransaction), '{{}}') INTO holders FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.classid = 1702258030 AND l.objid = 1 AND l.objsubid = 2 AND l.granted AND l.mode = 'ShareLock'
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());
END $$;
CREATE FUNCTION es.still_inside(holders text[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = 1702258030 AND l.objid = 1 AND l.objsubid = 2
        AND l.granted AND l.mode = 'ShareLock' AND l.virtualtransaction = ANY(holders))
$$;
