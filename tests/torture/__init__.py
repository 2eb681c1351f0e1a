"""What breaks an archive on purpose: faults, kills, losses of power, and code with parts left out.

    edge        stands in for `os` at the archive's edge to the file system
    scenario    the operations that are disturbed, on nights of a few rows
    faults      the disk refuses the n-th call
    power       what a disk may hold after power was lost, and whether the archive survives it
    kills       processes that are ended by SIGKILL
    model       a hypothesis state machine, against nights in memory
    sabotage    the same, with one sync, rename or lock of the code left out
    readers     who asks while others write
    mutations   damage of every kind to inputs
    fuzz        damaged inputs: refused, or read as astropy reads them

`PYTHONPATH=tests python -m torture` runs all at length (`make torture`).
"""
