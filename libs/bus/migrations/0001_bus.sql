-- Who reads which partition, how far each reader is, and what it had to set aside.
CREATE SCHEMA bus;

-- One row per consumer and partition. `epoch` grows with every change of owner.
CREATE TABLE bus.leases (
    consumer   text        NOT NULL,
    version    integer     NOT NULL,
    partition  smallint    NOT NULL CHECK (partition BETWEEN 0 AND 15),
    owner      uuid        NOT NULL,
    epoch      bigint      NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, version, partition)
);

-- The number of the last event applied. Moved only by the holder of the lease's epoch, only from
-- the number it last saw, in the transaction that applies the events.
CREATE TABLE bus.checkpoints (
    consumer  text     NOT NULL,
    version   integer  NOT NULL,
    partition smallint NOT NULL CHECK (partition BETWEEN 0 AND 15),
    number    bigint   NOT NULL CHECK (number >= 0),
    epoch     bigint   NOT NULL,
    PRIMARY KEY (consumer, version, partition)
) WITH (fillfactor = 50);

-- Events that a consumer could not apply, and the later ones of the same routing key, in order.
CREATE TABLE bus.parked (
    consumer         text        NOT NULL,
    version          integer     NOT NULL,
    partition        smallint    NOT NULL,
    partition_number bigint      NOT NULL,
    org_id           text        NOT NULL,
    routing_key      text        NOT NULL,
    event_id         uuid        NOT NULL,
    event_type       text        NOT NULL,
    -- Why; empty for an event that only waits behind an earlier one.
    error            text        NOT NULL,
    parked_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    retry            boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (consumer, version, partition, partition_number)
);
CREATE INDEX parked_key ON bus.parked (org_id, routing_key);
