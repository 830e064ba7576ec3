"""How other services reach astakos."""
