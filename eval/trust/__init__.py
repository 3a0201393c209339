"""Trust, measured: what a panel gains by learning from feedback, in simulation and on recorded answers."""
