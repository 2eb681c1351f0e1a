"""Speed and memory, product and peer side by side in one run; never timed tests."""
