"""The simulator: the whole engine on a simulated machine, told a story by a seed."""
