"""The page that shows a running stream, and what it is fed."""
