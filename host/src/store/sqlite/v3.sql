-- What the plugin wrote when it was asked, as JSON; NULL when it wrote nothing.
ALTER TABLE plans ADD COLUMN log TEXT;
