-- How far the relay ever came: after a rewind `position` lies below what Kafka holds of us.
ALTER TABLE es.relay ADD COLUMN published bigint NOT NULL DEFAULT 0;
UPDATE es.relay SET published = position;
