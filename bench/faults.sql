-- Faults of the clinic, planted one at a time by `bench detection`. Each begins with "-- area: what is wrong".

-- keys: a table lost its primary key
ALTER TABLE doctors DROP CONSTRAINT doctors_pkey CASCADE;
-- keys: a key is on the wrong column
ALTER TABLE drugs DROP CONSTRAINT drugs_pkey CASCADE; ALTER TABLE drugs ADD PRIMARY KEY (label);
-- keys: rows without a key
ALTER TABLE bills DROP CONSTRAINT bills_pkey; ALTER TABLE bills ALTER id DROP NOT NULL; UPDATE bills SET id = NULL WHERE id < 3;
-- keys: two rows share a key
ALTER TABLE bills DROP CONSTRAINT bills_pkey; UPDATE bills SET id = 5 WHERE id = 6;
-- keys: the id has no default any more
ALTER TABLE doctors ALTER id DROP DEFAULT;
-- keys: the sequence is behind its rows
SELECT setval('doctors_id_seq', 2);
-- keys: the identity is behind its rows
SELECT setval('visits_id_seq', 17);
-- keys: the sequence belongs to no column
ALTER SEQUENCE bills_id_seq OWNED BY NONE;
-- keys: the sequence starts over at its end
ALTER SEQUENCE bills_id_seq CYCLE;
-- keys: the sequence ends soon
ALTER SEQUENCE bills_id_seq MAXVALUE 400;
-- keys: two tables count by one sequence
ALTER TABLE bills ALTER id SET DEFAULT nextval('doctors_id_seq');
-- keys: the id is GENERATED ALWAYS, although code brings its own
ALTER TABLE visits ALTER id SET GENERATED ALWAYS;
-- keys: nothing makes the uuid any more
ALTER TABLE rooms ALTER id DROP DEFAULT;
-- foreign keys: one is missing
ALTER TABLE visits DROP CONSTRAINT visits_doctor_id_fkey;
-- foreign keys: one is missing, and orphans came in
ALTER TABLE visits DROP CONSTRAINT visits_doctor_id_fkey; UPDATE visits SET doctor_id = 99 WHERE id < 4;
-- foreign keys: orphans under a valid one
ALTER TABLE visits DISABLE TRIGGER ALL; UPDATE visits SET doctor_id = 99 WHERE id < 4; ALTER TABLE visits ENABLE TRIGGER ALL;
-- foreign keys: its triggers are disabled
ALTER TABLE visits DISABLE TRIGGER ALL;
-- foreign keys: the parent's triggers are disabled
ALTER TABLE doctors DISABLE TRIGGER ALL;
-- foreign keys: it points at another table
ALTER TABLE bills DROP CONSTRAINT bills_visit_id_fkey; ALTER TABLE bills ADD FOREIGN KEY (visit_id) REFERENCES patients NOT VALID;
-- foreign keys: it deletes where it should not
ALTER TABLE bills DROP CONSTRAINT bills_visit_id_fkey; ALTER TABLE bills ADD FOREIGN KEY (visit_id) REFERENCES visits ON DELETE CASCADE;
-- foreign keys: it is NOT VALID
ALTER TABLE bills DROP CONSTRAINT bills_visit_id_fkey; ALTER TABLE bills ADD FOREIGN KEY (visit_id) REFERENCES visits NOT VALID;
-- foreign keys: it stands twice, with another action
ALTER TABLE patients ADD FOREIGN KEY (doctor_id) REFERENCES doctors ON DELETE CASCADE;
-- foreign keys: one that nobody wanted
ALTER TABLE bills ADD FOREIGN KEY (id) REFERENCES visits;
-- foreign keys: it is checked only at commit
ALTER TABLE bills ALTER CONSTRAINT bills_visit_id_fkey DEFERRABLE INITIALLY DEFERRED;
-- default rows: the default doctor is gone
UPDATE doctors SET licence = 'S0' WHERE licence = 'SYSTEM';
-- columns: one is missing
ALTER TABLE patients DROP born;
-- columns: one has another name
ALTER TABLE patients RENAME born TO birth_date;
-- columns: one is too narrow
ALTER TABLE drugs ALTER label TYPE varchar(10);
-- columns: a dose has lost its decimal places
ALTER TABLE prescriptions ALTER dose TYPE numeric(8, 0);
-- columns: a dose is a text
ALTER TABLE prescriptions ALTER dose TYPE text USING dose::text;
-- columns: a time without its zone
ALTER TABLE bills DROP CONSTRAINT bills_paid_check; DROP VIEW unpaid; ALTER TABLE bills ALTER paid_at TYPE timestamp; ALTER TABLE bills ADD CONSTRAINT bills_paid_check CHECK (paid_at IS NULL OR gross > 0); CREATE VIEW unpaid AS SELECT id, visit_id, gross FROM bills WHERE paid_at IS NULL;
-- columns: json in place of jsonb
ALTER TABLE patients ALTER notes DROP DEFAULT, ALTER notes TYPE json, ALTER notes SET DEFAULT '{}'::json;
-- columns: it may be NULL
ALTER TABLE patients ALTER name DROP NOT NULL;
-- columns: it may be NULL, and is
ALTER TABLE patients ALTER name DROP NOT NULL; UPDATE patients SET name = NULL WHERE id < 9;
-- columns: it must not be NULL, although code leaves it out
ALTER TABLE rooms ADD wing text NOT NULL DEFAULT 'x'; ALTER TABLE rooms ALTER wing DROP DEFAULT;
-- columns: NOT NULL where the code writes NULL
ALTER TABLE patients ALTER mail SET NOT NULL;
-- columns: the default is gone
ALTER TABLE patients ALTER made_at DROP DEFAULT;
-- columns: the default is another
ALTER TABLE bills ALTER currency SET DEFAULT 'USD';
-- columns: the default is another boolean
ALTER TABLE doctors ALTER active SET DEFAULT false;
-- columns: a generated column is plain
ALTER TABLE bills ALTER gross DROP EXPRESSION;
-- columns: it sorts by another collation
ALTER TABLE doctors ALTER name TYPE varchar(80) COLLATE "C";
-- columns: a label of the enum is missing
ALTER TABLE visits DROP CONSTRAINT visits_no_overlap; DROP INDEX visits_open_idx; ALTER TABLE visits ALTER state DROP DEFAULT; CREATE TYPE other_state AS ENUM ('booked', 'done'); UPDATE visits SET state = 'done' WHERE state = 'missed'; ALTER TABLE visits ALTER state TYPE other_state USING state::text::other_state; DROP TYPE visit_state; ALTER TYPE other_state RENAME TO visit_state; ALTER TABLE visits ALTER state SET DEFAULT 'booked'; ALTER TABLE visits ADD CONSTRAINT visits_no_overlap EXCLUDE USING gist (during WITH &&) WHERE (state = 'done') NOT DEFERRABLE; CREATE INDEX visits_open_idx ON visits (doctor_id) WHERE state = 'booked';
-- tables: one is missing
DROP TABLE prescriptions;
-- tables: one has another name
ALTER TABLE prescriptions RENAME TO prescription;
-- tables: one is UNLOGGED, so that a crash empties it
ALTER TABLE prescriptions SET UNLOGGED;
-- tables: all rows are gone
DELETE FROM prescriptions;
-- tables: a copy of it comes first in the search_path
CREATE SCHEMA old; CREATE TABLE old.drugs (LIKE drugs); DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = old, public', current_database()); END $$;
-- uniques: one is missing
ALTER TABLE doctors DROP CONSTRAINT doctors_licence_key;
-- uniques: one is missing, and values repeat
ALTER TABLE doctors DROP CONSTRAINT doctors_licence_key; UPDATE doctors SET licence = 'L3' WHERE licence = 'L4';
-- uniques: one over an expression is missing
DROP INDEX patients_mail_key;
-- uniques: one minds capitals where it should not
DROP INDEX patients_mail_key; CREATE UNIQUE INDEX patients_mail_key ON patients (mail);
-- uniques: one is too strict
CREATE UNIQUE INDEX one_name ON patients (name);
-- uniques: its index is invalid, as after a build that failed
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'patients_mail_key'::regclass;
-- uniques: it is checked only at commit
ALTER TABLE doctors DROP CONSTRAINT doctors_licence_key; ALTER TABLE doctors ADD CONSTRAINT doctors_licence_key UNIQUE (licence) DEFERRABLE INITIALLY DEFERRED;
-- checks: one is missing
ALTER TABLE bills DROP CONSTRAINT bills_net_check;
-- checks: one allows more
ALTER TABLE bills DROP CONSTRAINT bills_net_check; ALTER TABLE bills ADD CONSTRAINT bills_net_check CHECK (net >= 0);
-- checks: one is NOT VALID, and rows break it
ALTER TABLE bills DROP CONSTRAINT bills_net_check; UPDATE bills SET net = -1 WHERE id = 5; ALTER TABLE bills ADD CONSTRAINT bills_net_check CHECK (net > 0) NOT VALID;
-- checks: one refuses every row
ALTER TABLE drugs ADD CONSTRAINT closed CHECK (false) NOT VALID;
-- checks: one refuses rows that code writes
ALTER TABLE bills ADD CHECK (currency = 'EUR');
-- checks: an exclusion is missing
ALTER TABLE visits DROP CONSTRAINT visits_no_overlap;
-- checks: an exclusion holds for other rows
ALTER TABLE visits DROP CONSTRAINT visits_no_overlap; ALTER TABLE visits ADD CONSTRAINT visits_no_overlap EXCLUDE USING gist (during WITH &&) WHERE (state = 'missed');
-- indexes: one is missing
DROP INDEX visits_patient_idx;
-- indexes: one is on another column
DROP INDEX visits_patient_idx; CREATE INDEX visits_patient_idx ON visits (room_id);
-- indexes: one is partial by another condition
DROP INDEX visits_open_idx; CREATE INDEX visits_open_idx ON visits (doctor_id) WHERE state = 'done';
-- indexes: one is of another method
DROP INDEX visits_patient_idx; CREATE INDEX visits_patient_idx ON visits USING hash (patient_id);
-- indexes: one sorts downwards
DROP INDEX visits_patient_idx; CREATE INDEX visits_patient_idx ON visits (patient_id DESC);
-- operation: a rule swallows inserts
CREATE RULE drugs_closed AS ON INSERT TO drugs DO INSTEAD NOTHING;
-- operation: a trigger swallows inserts
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER swallow BEFORE INSERT ON drugs FOR EACH ROW EXECUTE FUNCTION swallow();
-- operation: a trigger raises an error
CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$; CREATE TRIGGER closed BEFORE INSERT ON drugs FOR EACH ROW EXECUTE FUNCTION closed();
-- operation: a trigger calls a function that writes to a table that is gone
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit_log VALUES (1); RETURN NEW; END $$; CREATE TRIGGER audit BEFORE INSERT ON drugs FOR EACH ROW EXECUTE FUNCTION audit();
-- operation: row level security hides all rows
ALTER TABLE drugs ENABLE ROW LEVEL SECURITY; ALTER TABLE drugs FORCE ROW LEVEL SECURITY;
-- operation: the database is read only
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$;
-- operation: the database has another time zone
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Kolkata'); END $$;
-- operation: autovacuum is off for a table
ALTER TABLE visits SET (autovacuum_enabled = false);
-- operation: a row was written twice, under two keys
INSERT INTO drugs SELECT code || 'x', label FROM drugs WHERE code = 'D1';
-- code: a view is missing
DROP VIEW unpaid;
-- code: a view says something else
CREATE OR REPLACE VIEW unpaid AS SELECT id, visit_id, gross FROM bills;
-- code: a trigger is missing
DROP TRIGGER bills_currency ON bills;
-- code: a trigger is disabled
ALTER TABLE bills DISABLE TRIGGER bills_currency;
-- code: a function has another body
CREATE OR REPLACE FUNCTION upper_currency() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
-- code: a policy is missing
DROP POLICY patients_all ON patients;
-- code: row level security is off
ALTER TABLE patients DISABLE ROW LEVEL SECURITY;
-- code: a right is missing
REVOKE INSERT ON bills FROM clinic_app;
-- code: the owner of a table is another role
ALTER TABLE drugs OWNER TO clinic_app;
-- code: a comment is missing
COMMENT ON TABLE drugs IS NULL;
