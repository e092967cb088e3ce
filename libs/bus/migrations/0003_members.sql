-- The instances of each consumer. They share its partitions evenly; who stops beating is gone when
-- its row expires.
CREATE TABLE bus.members (
    consumer   text        NOT NULL,
    version    integer     NOT NULL,
    owner      uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, version, owner)
) WITH (fillfactor = 50);
