"""Feedback: what the client's next request says about the last answer, and what that teaches about the panel's members.

`marks` recognises an answer when a client sends it back; `program_output` and `news` read what follows it; `task_kind`
names the kind of task; `answer_record` is what is remembered of an answer, and what a verdict on it counts for.
"""
