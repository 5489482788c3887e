-- Partitions of the transactions, and the views that other services' events feed.

-- Makes the months around now for every version of the view. The service's own role may call it, though it may not make tables.
-- What the partition for all other times holds of a month is moved over, so that a worker that was away for long does no harm.
CREATE FUNCTION make_transaction_partitions(months_back int, months_ahead int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC' AS $$
DECLARE
    parent text;
    month  timestamptz;
    child  text;
    made   int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('metrics.partitions', 0));
    FOR parent IN
        SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace AND relname ~ '^transactions_v[0-9]+$'
    LOOP
        FOR month IN
            SELECT date_trunc('month', now()) + m * interval '1 month' FROM generate_series(-months_back, months_ahead) m
        LOOP
            child := parent || to_char(month, '"_y"YYYY"m"MM');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
            EXECUTE format(
                'WITH moved AS (DELETE FROM %I WHERE occurred_at >= %L AND occurred_at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                parent || '_other', month, month + interval '1 month', child);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                parent, child, month, month + interval '1 month');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION make_transaction_partitions(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_transaction_partitions(int, int) TO {app};

-- Fed by registry and identity. An app without an owner is one whose owner was erased: nobody can read it.
CREATE TABLE apps (
    app_id        text        PRIMARY KEY,
    owner_id      text,
    status        text        NOT NULL,
    registered_at timestamptz NOT NULL
);
-- The two topics have no mutual order, so an app may be heard of after the erasure of its owner.
CREATE TABLE erased_accounts (
    account_id text PRIMARY KEY
);

-- Fed by keys: which pairs there were, and which followed which.
CREATE TABLE pairs (
    pair_id     text PRIMARY KEY,
    app_id      text NOT NULL,
    environment text NOT NULL,
    lineage_id  text NOT NULL
);
CREATE INDEX pairs_lineage ON pairs (lineage_id);
