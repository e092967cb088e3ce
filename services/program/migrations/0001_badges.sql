-- Images of the badges of tiers, named by their hashes. Events name them; they are no facts themselves.
CREATE SCHEMA badges;

CREATE TABLE badges.images (
    org_id      text COLLATE "C" NOT NULL,
    badge       text COLLATE "C" NOT NULL,
    media_type  text        NOT NULL,
    width       integer     NOT NULL,
    height      integer     NOT NULL,
    image       bytea       NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, badge)
);
-- Images are compressed already.
ALTER TABLE badges.images ALTER COLUMN image SET STORAGE EXTERNAL;
