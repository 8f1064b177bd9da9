-- What is odd about the request, as JSON; NULL when nothing is.
ALTER TABLE events ADD COLUMN findings TEXT;
