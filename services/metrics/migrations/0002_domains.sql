-- Fed by registry: the domains that an app has proven. An app without any may be used from every page.
CREATE TABLE app_domains (
    app_id text,
    domain text,
    PRIMARY KEY (app_id, domain)
);
