"""Generated from the command tree: man pages and shell completions; and the help topics."""
