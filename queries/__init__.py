"""SQL over one snapshot of an archive; imports nothing heavy."""
