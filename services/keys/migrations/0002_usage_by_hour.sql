-- The hours that are over are found without reading all of them.
CREATE INDEX key_calls_hour ON key_calls USING brin (hour);
