"""What is derived from what is stored: light curves, pictures, exports."""
