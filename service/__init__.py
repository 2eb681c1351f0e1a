"""The light-curve service over HTTP; a room kept free."""
