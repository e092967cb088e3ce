-- Forms and submissions. Neither has anything that an applicant wrote: answers stay in the log.
INSERT INTO read.models (name, version) VALUES ('forms', 1), ('submissions', 1);

CREATE TABLE read.forms (
    org_id      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    partition   smallint         NOT NULL,
    position    bigint           NOT NULL,
    state       json             NOT NULL,
    title       text COLLATE "C" NOT NULL,
    published   boolean          NOT NULL,
    has_draft   boolean          NOT NULL,
    create_time timestamptz      NOT NULL,
    update_time timestamptz      NOT NULL,
    PRIMARY KEY (org_id, key)
);

CREATE TABLE read.submissions (
    org_id       text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    partition    smallint         NOT NULL,
    position     bigint           NOT NULL,
    state        json             NOT NULL,
    form         text COLLATE "C" NOT NULL,
    form_version integer          NOT NULL,
    -- pending, approved or rejected; `state` is the whole row.
    review       text COLLATE "C" NOT NULL,
    submit_time  timestamptz      NOT NULL,
    decided_by   text COLLATE "C",
    decide_time  timestamptz,
    PRIMARY KEY (org_id, key)
);
CREATE INDEX submissions_submit_time ON read.submissions (org_id, submit_time DESC, key);
CREATE INDEX submissions_form ON read.submissions (org_id, form, submit_time DESC, key);
CREATE INDEX submissions_review ON read.submissions (org_id, review, submit_time DESC, key);
