"""The page that viewers judge pairs on."""
