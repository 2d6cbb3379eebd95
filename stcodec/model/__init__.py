"""The attention network, its weights, and what is stored with them."""
