"""Astakos: who may do what, and how much. Identity, sign-on, quota and projects."""
