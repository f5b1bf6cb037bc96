"""An identical call is paid once: what was answered is kept for a while, in a fast tier and in the database.

``keys`` says when two calls are identical, ``answers`` what is kept of one, ``shelf`` keeps it, ``flights`` lets those who ask the same at
the same moment wait for one call. Whatever fails in here means "not cached": never an error, never a long wait. ``redis_gate`` sees to the
wait wherever this process asks Redis, for limits and drafts too.
"""
