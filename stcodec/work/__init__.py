"""Tasks side by side in processes, and a cache of what they make."""
