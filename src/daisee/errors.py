"""What can go wrong, as one tree. Each class keeps its facts, and its message says what to do next.

    DaiseeError
    ├── UsageError (ValueError)           what a person asked for cannot be done; exit 2
    │   ├── DataFileError                 a measured-data file, with file and line
    │   ├── ConfigurationError            a key or value in a file of settings
    │   ├── KeystoreError                 a key that is not there, or a file that is none
    │   │   └── WrongPassword             another password is the key's
    │   └── PortTaken (OSError)           with the option that changes it
    ├── LedgerError (RuntimeError)        the ledger refused
    │   ├── TransactionReverted           a contract said no, with the name of its error and its facts
    │   └── TransactionLost (TimeoutError)  a transaction is in no block after the time allowed
    ├── ChainError (ConnectionError)      no answer, or no sense, from the chain client
    ├── RelayError (OSError)              the board did not do what it was told
    │   └── InterlockViolation            two sources of one load would be closed at once
    ├── SensorError (OSError)             a device does not answer, or not as it should
    ├── StoreError (OSError)              a store could not be written
    └── LawBroken (AssertionError)        the books do not add up; exit 1

Three places translate these, nobody else: `cli` to a line and an exit code, `web` to a status, `ledger` from reverts.
"""

from __future__ import annotations

from pathlib import Path


class DaiseeError(Exception):
    """Anything this package raises on purpose."""


class UsageError(DaiseeError, ValueError):
    """What a person asked for cannot be done as asked."""


class DataFileError(UsageError):
    """A data file that cannot be replayed. `line` counts from 1, the header included; None where no line is to blame."""

    def __init__(self, file: str | Path, line: int | None, expected: str) -> None:
        self.file = str(file)
        self.line = line
        self.expected = expected
        where = self.file if line is None else f"{self.file}, line {line}"
        super().__init__(f"{where}: {expected}")


class ConfigurationError(UsageError):
    """A file of settings, as TOML or JSON, says something that cannot be. `key` is dotted, as in `homes.dev-1.battery`."""

    def __init__(self, file: str | Path, key: str, expected: str) -> None:
        self.file = str(file)
        self.key = key
        self.expected = expected
        where = f"{self.file}: {key}" if key else self.file
        super().__init__(f"{where}: {expected}")


class KeystoreError(UsageError):
    """A key that is not there, a key file that is none, or a password that is another's."""


class WrongPassword(KeystoreError):
    """A key file is encrypted with another password."""


class PortTaken(UsageError, OSError):
    """Another program listens where we wanted to."""

    def __init__(self, port: int, option: str) -> None:
        self.port = port
        self.option = option
        super().__init__(f"port {port} is taken by another program; stop it, or choose another port with {option}")


class LedgerError(DaiseeError, RuntimeError):
    """The ledger refused, or holds something else than was expected."""


class TransactionReverted(LedgerError):
    """A contract refused. `error` is the name of its Solidity error, `facts` its named arguments."""

    def __init__(self, error: str, facts: dict[str, object] | None = None) -> None:
        self.error = error
        self.facts = dict(facts or {})
        told = ", ".join(
            f"{name} {'0x' + value.hex() if isinstance(value, bytes) else value}" for name, value in self.facts.items()
        )
        super().__init__(f"the contract refused: {error}" + (f" ({told})" if told else ""))


class TransactionLost(LedgerError, TimeoutError):
    """A transaction was sent and is in no block after the time allowed."""

    def __init__(self, transaction: str, waited_s: float, told: str = "") -> None:
        self.transaction = transaction
        self.waited_s = waited_s
        says = f"; the node says: {told}" if told else ""
        super().__init__(f"transaction {transaction} is not settled after {waited_s:.0f} s{says}; ask again later")


class ChainError(DaiseeError, ConnectionError):
    """The chain client gives no answer, or one that makes no sense. `code` and `data` are JSON-RPC's, where it sent them."""

    def __init__(self, message: str, code: int | None = None, data: object = None) -> None:
        self.code = code
        self.data = data
        super().__init__(message)


class RelayError(DaiseeError, OSError):
    """The board did not do what it was told."""


class InterlockViolation(RelayError):
    """More than one source of the same load is closed, or would be."""

    def __init__(self, group: str, closed: tuple[int, ...]) -> None:
        self.group = group
        self.closed = closed
        channels = ", ".join(map(str, closed))
        super().__init__(f"group {group}: channels {channels} are closed together; open all but one by hand, then restart")


class SensorError(DaiseeError, OSError):
    """A device that measures does not answer, or answers what it should not; its message says what to look at."""


class StoreError(DaiseeError, OSError):
    """A store could not be read or written; what was not written stays in memory."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        self.damaged = damaged
        """Whether the file itself is no longer whole."""
        super().__init__(message)


class LawBroken(DaiseeError, AssertionError):
    """The books do not add up."""

    def __init__(self, laws: tuple[str, ...]) -> None:
        self.laws = laws
        super().__init__(f"broken: {', '.join(laws)}; the report says by whom")
