"""What is said to each kind of sign-in provider, until it tells who somebody is. No database here."""
