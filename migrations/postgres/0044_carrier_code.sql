-- The code under which a package's carrier knows it, where that is not the package's own.
ALTER TABLE package ADD COLUMN carrier_code TEXT;
