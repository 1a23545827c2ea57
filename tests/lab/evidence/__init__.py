"""What tests see of a database: its dump, its rows, and what one has and another lacks."""
