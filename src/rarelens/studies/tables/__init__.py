"""Every table that is written, declared once: checked as it is written, shown in the reference.

No result depends on these declarations: they can only refuse. So they stand in no fingerprint, and
an edit of them reruns nothing.
"""
