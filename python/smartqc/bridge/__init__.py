"""Frames of other software on a line: one module for each, which that software must bring."""
