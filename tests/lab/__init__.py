"""What tests are made of: one job a file, and no test among them."""
