"""Measures a home: sensors give readings, the collector turns them into energy, the store keeps it."""
