"""Imports: what people already have, brought into an archive as tables of its own."""
