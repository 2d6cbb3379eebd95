"""State of a running stream: snapshots, status line, metrics, read-back and the dashboard."""
