"""Benchmarks: each measures our code beside what a user would compare it with, in the same run, and prints the ratio."""
