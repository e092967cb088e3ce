-- Events that an operator gave up, with the reason: the only facts that a read model may lack.
CREATE TABLE bus.given_up (
    consumer         text        NOT NULL,
    version          integer     NOT NULL,
    partition        smallint    NOT NULL,
    partition_number bigint      NOT NULL,
    org_id           text        NOT NULL,
    routing_key      text        NOT NULL,
    event_id         uuid        NOT NULL,
    event_type       text        NOT NULL,
    error            text        NOT NULL,
    parked_at        timestamptz NOT NULL,
    actor            text        NOT NULL,
    reason           text        NOT NULL,
    given_up_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, version, partition, partition_number)
);
