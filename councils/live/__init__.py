"""What viewers are told while a run goes on, and the only sender of it.

Two kinds of messages. An ``event`` is a line of the run's history: the database has it too, so a lost message does no harm. A ``delta``
is new text of seats that are writing: it is nowhere in the database, so drafts are also kept in the cache for viewers who come late.
Offsets count UTF-16 units, as strings in a browser do.

A viewer in this process is reached directly, through its own event loop; others through Redis, which may lose messages: what leaves this
process goes to the outbox, and what comes from others is brought to the hub by the bridge of the process that has the viewers.
"""
