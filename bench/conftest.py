"""What pytest-benchmark keeps of a machine: its kind, not its name."""

from typing import Any


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    del machine_info["node"]
    machine_info["cpu"].pop("flags", None)
