"""What is true without any I/O or clock: readings, energy, attribution, decision, tariffs.

Nothing in this folder asks the time, opens a file or a socket, or knows a database, a web framework or a blockchain, and
import-linter refuses it. Who wants to know what DAISEE does reads this folder; the rooms above fetch what it needs and carry
out what it says.
"""
