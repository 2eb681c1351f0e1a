"""Light curves object by object: how they are made of nightly detections, and objects with them."""
