-- What other services have announced, and how keys are used. The keyrings themselves are an inline view: see projections/keyrings.py.
CREATE TABLE apps (
    app_id     text PRIMARY KEY,
    owner_id   text NOT NULL,
    product_id text NOT NULL
);
CREATE INDEX apps_owner ON apps (owner_id, product_id);

CREATE TABLE subscriptions (
    account_id      text    NOT NULL,
    product_id      text    NOT NULL,
    subscription_id text    NOT NULL,
    subscribed      boolean NOT NULL,
    version         int     NOT NULL,
    PRIMARY KEY (account_id, product_id)
);

CREATE TABLE erased_accounts (
    account_id text PRIMARY KEY,
    version    int  NOT NULL
);

CREATE TABLE key_calls (
    pair_id text        NOT NULL,
    hour    timestamptz NOT NULL,
    calls   bigint      NOT NULL,
    PRIMARY KEY (pair_id, hour)
);

CREATE TABLE key_last_used (
    pair_id      text        PRIMARY KEY,
    last_used_at timestamptz NOT NULL
);
