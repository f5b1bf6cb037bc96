"""The async/sync bridge: drives runs on one event loop per process, and writes through one thread.

``host`` owns the loop and finds the runs, ``drive`` moves one run from action to action, ``attempts`` makes the paid calls of one step,
``writer`` commits, ``trouble`` keeps what fails again and again from flooding the log.
"""
