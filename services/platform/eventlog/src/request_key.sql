-- Requests are found by their id first: whoever names them by ids that grow with time (UUIDv7) has the index grow at its end, where pages of
-- a large index that nobody has touched since the checkpoint would be read, and written whole to the WAL, for each request.
ALTER TABLE request DROP CONSTRAINT request_pkey;
ALTER TABLE request ADD PRIMARY KEY (request_id, actor);
