"""What one types: commands, their ways out, the demo."""
