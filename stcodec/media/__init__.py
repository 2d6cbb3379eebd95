"""Files: reading, decoding, clocks, maps as videos, and outputs that appear whole or not at all."""
