"""A contract of SQLAlchemy's models: their DDL, the scratch place where it runs, and what their ``info`` says."""
