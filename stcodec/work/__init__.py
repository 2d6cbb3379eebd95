"""Many tasks: processes side by side, what was made once is kept, how far they are."""
