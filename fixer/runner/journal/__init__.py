"""What was done, kept in the database itself: schema fixer_journal, and fixer_quarantine for rows."""
