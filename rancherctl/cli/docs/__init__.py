"""What is generated from the command tree: man pages, shell completions, help topics."""
