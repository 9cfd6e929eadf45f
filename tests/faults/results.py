"""What came of the faults: for people a table, for programs build/bench/chain.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

OUTPUT = Path("build/bench/chain.json")


@dataclass(slots=True)
class Fault:
    """What came of one fault."""

    held: bool = False
    recovered_s: float | None = None
    """From when the fault was over until all nodes agreed on what was sealed after it."""
    note: str = ""


@dataclass(slots=True)
class Results:
    """What came of all."""

    faults: dict[str, Fault] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    deadlocks: int = 0
    """How many came by themselves, at a start or after a fault, and were mended by `daisee chain unstick`."""

    def count_deadlock(self) -> None:
        """Note that one came."""
        self.deadlocks += 1

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")

    def show(self, console: Console) -> None:
        """Show it as a table."""
        table = Table("fault", "held", "recovered", "note", box=SIMPLE_HEAD, pad_edge=False)
        table.columns[2].justify = "right"
        for name, fault in self.faults.items():
            recovered = "" if fault.recovered_s is None else f"{fault.recovered_s:.1f} s"
            table.add_row(name, "yes" if fault.held else "NO", recovered, fault.note)
        for name, why in self.skipped.items():
            table.add_row(name, "skipped", "", why)
        console.print(table)
        console.print(f"Deadlocks that came by themselves, and were mended: {self.deadlocks}.")
        if self.load:
            console.print(", ".join(f"{name} {value:,}" for name, value in self.load.items()), soft_wrap=True)
