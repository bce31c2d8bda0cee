"""Ways to look at a server: one file each, one line in the table each."""

from monitor.probes.cycle import Cycle, Plan, cycle
from monitor.probes.flights import PingCounts
from monitor.probes.instruments import Instruments, open_instruments
from monitor.probes.probe import Attempt, Probe, Step, Swift, Target
from monitor.probes.table import CHECK_TYPES, CheckType, door

__all__ = [
    "CHECK_TYPES",
    "Attempt",
    "CheckType",
    "Cycle",
    "Instruments",
    "PingCounts",
    "Plan",
    "Probe",
    "Step",
    "Swift",
    "Target",
    "cycle",
    "door",
    "open_instruments",
]
