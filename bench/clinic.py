"""The contract of a clinic, for `bench detection`: models, and beside them the code that only SQL declares."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, TSTZRANGE, UUID, ExcludeConstraint

metadata = MetaData()
NOW = text("now()")
MOMENT = TIMESTAMP(timezone=True)

Table(
    "doctors",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("licence", String(20), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    info={"default_rows": [{"licence": "SYSTEM", "name": "nobody"}]},
)
Table(
    "patients",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mail", String(120)),
    Column("name", String(80), nullable=False),
    Column("born", Date),
    Column("doctor_id", ForeignKey("doctors.id", ondelete="SET NULL"), index=True),
    Column("notes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("made_at", MOMENT, nullable=False, server_default=NOW),
    Index("patients_mail_key", text("lower(mail)"), unique=True),
)
Table(
    "rooms",
    metadata,
    Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("floor", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    UniqueConstraint("floor", "number", name="rooms_place_key"),
)
Table(
    "visits",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("patient_id", ForeignKey("patients.id", ondelete="CASCADE"), nullable=False),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=False),
    Column("room_id", ForeignKey("rooms.id")),
    Column("during", TSTZRANGE, nullable=False),
    Column("state", Enum("booked", "done", "missed", name="visit_state"), nullable=False, server_default="booked"),
    ExcludeConstraint(("during", "&&"), name="visits_no_overlap", where=text("state = 'done'")),
    Index("visits_patient_idx", "patient_id"),
    Index("visits_open_idx", "doctor_id", postgresql_where=text("state = 'booked'")),
)
Table(
    "bills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("visit_id", ForeignKey("visits.id"), nullable=False, unique=True),
    Column("net", Numeric(12, 2), CheckConstraint("net > 0", name="bills_net_check"), nullable=False),
    Column("tax", Numeric(12, 2), nullable=False, server_default=text("0")),
    Column("gross", Numeric(13, 2), Computed("net + tax", persisted=True)),
    Column("paid_at", MOMENT),
    Column("currency", String(3), nullable=False, server_default="EUR"),
    CheckConstraint("paid_at IS NULL OR gross > 0", name="bills_paid_check"),
)
Table(
    "drugs",
    metadata,
    Column("code", String(12), primary_key=True),
    Column("label", Text, nullable=False),
)
Table(
    "prescriptions",
    metadata,
    Column("visit_id", ForeignKey("visits.id", ondelete="CASCADE"), primary_key=True),
    Column("drug_code", ForeignKey("drugs.code", onupdate="CASCADE"), primary_key=True),
    Column("dose", Numeric(8, 3), nullable=False),
)

CODE = """
CREATE FUNCTION upper_currency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.currency := pg_catalog.upper(NEW.currency); RETURN NEW; END $$;
CREATE TRIGGER bills_currency BEFORE INSERT OR UPDATE ON bills FOR EACH ROW EXECUTE FUNCTION upper_currency();
CREATE VIEW unpaid AS SELECT id, visit_id, gross FROM bills WHERE paid_at IS NULL;
ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
CREATE POLICY patients_all ON patients USING (true);
GRANT SELECT, INSERT ON bills TO clinic_app;
COMMENT ON TABLE drugs IS 'by their codes';
"""
ROWS = """
INSERT INTO doctors (licence, name)
SELECT CASE n WHEN 1 THEN 'SYSTEM' ELSE 'L' || n END, CASE n WHEN 1 THEN 'nobody' ELSE 'doctor ' || n END
  FROM generate_series(1, 10) n;
INSERT INTO patients (mail, name, born, doctor_id)
SELECT 'p' || n || '@clinic.example', 'patient ' || n, date '1950-01-01' + n * 97, 1 + n % 10
  FROM generate_series(1, 200) n;
INSERT INTO rooms (floor, number) SELECT n / 10, n % 10 FROM generate_series(1, 40) n;
INSERT INTO visits (patient_id, doctor_id, room_id, during, state)
SELECT 1 + n % 200, 1 + n % 10, (SELECT id FROM rooms ORDER BY floor, number OFFSET n % 40 LIMIT 1),
       tstzrange(timestamptz '2026-01-01' + n * interval '1 hour',
                 timestamptz '2026-01-01 00:30' + n * interval '1 hour'),
       (ARRAY['booked', 'done', 'missed'])[1 + n % 3]::visit_state FROM generate_series(1, 600) n;
INSERT INTO bills (visit_id, net, tax) SELECT n, n, n * 0.19 FROM generate_series(1, 300) n;
INSERT INTO drugs SELECT 'D' || n, 'drug ' || n FROM generate_series(1, 30) n;
INSERT INTO prescriptions SELECT n, 'D' || 1 + n % 30, 0.5 FROM generate_series(1, 300) n;
"""
