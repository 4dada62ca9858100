"""Printed values with the network behind each, recorded timings and trainings."""
