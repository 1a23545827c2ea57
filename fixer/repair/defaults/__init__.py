"""What defaults give: numbers to keys, and values to the columns that an insert leaves out."""
