"""Template tags of astakos."""
