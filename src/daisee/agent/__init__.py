"""Runs the decisions of one home against the real world: feeds `model.decision`, carries out what it says."""
