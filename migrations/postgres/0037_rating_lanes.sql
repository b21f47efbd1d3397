-- What is loaded of a file is rated in lanes, each a range of card numbers with a mark of its own: waiting batches of the file are
-- rated for cards above from_sim, up to rated_sim. A file has rows here only while it is rated;
-- round: its cdr_file.rounds then.

CREATE TABLE rating_lane (
    file_id BIGINT NOT NULL REFERENCES cdr_file (id),
    from_sim BIGINT NOT NULL,
    rated_sim BIGINT NOT NULL,
    round BIGINT NOT NULL,
    moved_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, from_sim)
);
INSERT INTO rating_lane (file_id, from_sim, rated_sim, round, moved_at) SELECT id, 0, rated_sim, rounds, moved_at FROM cdr_file WHERE rated_sim > 0;
ALTER TABLE cdr_file DROP COLUMN rated_sim;
