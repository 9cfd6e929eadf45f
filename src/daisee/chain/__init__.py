"""A private chain: the clients that carry the ledger, and the port on which anybody can look on."""
