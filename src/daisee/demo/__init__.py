"""A street of measured homes in one process, with everything real but the sensors, the relay boards and the clock."""
