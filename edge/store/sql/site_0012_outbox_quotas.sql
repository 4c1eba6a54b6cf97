-- How much waits of each class, kept by triggers so that a quota costs one look; a row counts with what surrounds its payload.
-- Class 0: records of what made way. They make no way themselves, so they take no room from the rows of a class.
CREATE TABLE outbox_sizes (class INTEGER PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, bytes_max INTEGER NOT NULL) STRICT
INSERT INTO outbox_sizes SELECT c.class, count(o.sequence), coalesce(sum(length(o.payload) + 128), 0), c.bytes_max FROM (SELECT 0 AS class, 0 AS bytes_max UNION ALL SELECT 1, 67108864 UNION ALL SELECT 2, 33554432 UNION ALL SELECT 3, 33554432) c LEFT JOIN outbox o ON o.class = c.class GROUP BY c.class
CREATE INDEX outbox_by_class ON outbox(class, sequence)
CREATE TRIGGER outbox_added AFTER INSERT ON outbox BEGIN UPDATE outbox_sizes SET rows = rows + 1, bytes = bytes + length(new.payload) + 128 WHERE class = CASE WHEN new.kind = 'outbox.gap' THEN 0 ELSE new.class END; END
CREATE TRIGGER outbox_removed AFTER DELETE ON outbox BEGIN UPDATE outbox_sizes SET rows = rows - 1, bytes = bytes - length(old.payload) - 128 WHERE class = CASE WHEN old.kind = 'outbox.gap' THEN 0 ELSE old.class END; END
CREATE TRIGGER outbox_changed AFTER UPDATE OF kind, payload ON outbox BEGIN UPDATE outbox_sizes SET rows = rows - 1, bytes = bytes - length(old.payload) - 128 WHERE class = CASE WHEN old.kind = 'outbox.gap' THEN 0 ELSE old.class END; UPDATE outbox_sizes SET rows = rows + 1, bytes = bytes + length(new.payload) + 128 WHERE class = CASE WHEN new.kind = 'outbox.gap' THEN 0 ELSE new.class END; END
