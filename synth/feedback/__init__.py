"""Feedback: verdicts on the last answer read from the client's next request, and the trust in members they build.

`marks` recognises an answer when a client sends it back; `program_output` and `news` read the messages after it;
`task_kind` names the kind of task; `answer_record` holds the facts kept of an answer, and counts the verdicts on it.
"""
