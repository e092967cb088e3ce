INSERT INTO read.models (name, version) VALUES ('benefits', 1);

CREATE TABLE read.benefits (
    org_id      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    partition   smallint         NOT NULL,
    position    bigint           NOT NULL,
    state       json             NOT NULL,
    name        text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    archived    boolean          NOT NULL,
    create_time timestamptz      NOT NULL,
    update_time timestamptz      NOT NULL,
    PRIMARY KEY (org_id, key)
);
