"""What one types: commands, their options and ways out, the demo."""
