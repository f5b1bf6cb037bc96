"""The only code that moves a run: sync functions, one transaction each, called by the runner and by services.

Rules that everything rests on:

- A run belongs to the database. An owner writes only while ``epoch`` is the one it claimed; else ``LostRun``.
- No attempt begins for a step that has a result, or for a run that has ended: checked under the run's row, in the same commit that
  writes the attempt down and before its first byte leaves.
- What a call brought and what it cost become true in one commit. A call is booked even when its run was lost meanwhile.
- Every change of a run appends its event in the same commit; ``seq`` has no gap.
"""
