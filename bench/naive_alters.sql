-- What people run on a live database: each statement on its own, each as the manual first shows it. Rows that
-- stand in the way are deleted.
DELETE FROM users t USING (SELECT ctid AS place, row_number() OVER (PARTITION BY id ORDER BY ctid) AS n FROM users) d
 WHERE t.ctid = d.place AND d.n > 1;
ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE users ADD CONSTRAINT users_username_key UNIQUE (username);
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
UPDATE users SET is_active = true WHERE is_active IS NULL;
UPDATE users SET status = 'active' WHERE status IS NULL;
ALTER TABLE users ALTER is_active SET NOT NULL;
ALTER TABLE users ALTER status SET NOT NULL;
DELETE FROM paper_trades t
 USING (SELECT ctid AS place, row_number() OVER (PARTITION BY id ORDER BY ctid) AS n FROM paper_trades) d
 WHERE t.ctid = d.place AND d.n > 1;
ALTER TABLE paper_trades ADD CONSTRAINT paper_trades_pkey PRIMARY KEY (id);
ALTER TABLE paper_trades ALTER price TYPE numeric(15,2) USING price::numeric(15,2);  -- nothing where it is that
CREATE INDEX ix_paper_trades_symbol ON paper_trades (symbol);
CREATE INDEX ix_paper_trades_timestamp ON paper_trades ("timestamp");
CREATE INDEX ix_paper_trades_user_id_timestamp ON paper_trades (user_id, "timestamp");
DELETE FROM paper_trades WHERE symbol IS NULL;
UPDATE paper_trades SET status = 'EXECUTED' WHERE status IS NULL;
ALTER TABLE paper_trades ALTER user_id SET NOT NULL;
ALTER TABLE paper_trades ALTER symbol SET NOT NULL;
ALTER TABLE paper_trades ALTER status SET NOT NULL;
ALTER TABLE paper_trades ADD CONSTRAINT paper_trades_quantity_check CHECK (quantity > 0);
DELETE FROM paper_trades t WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id);
ALTER TABLE paper_trades ADD CONSTRAINT paper_trades_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
