-- Logos as they are shown: re-encoded PNGs by the SHA-256 of their bytes. The log holds the hash; one that no app shows any more is swept.
CREATE TABLE logos (
    hash      text        PRIMARY KEY,
    png       bytea       NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);
