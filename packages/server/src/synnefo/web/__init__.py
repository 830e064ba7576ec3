"""The web interface: pages over the services of Astakos, Cyclades and Pithos+."""
