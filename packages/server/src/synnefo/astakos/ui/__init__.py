"""Pages of astakos: sign-in and sign-out."""
