"""No deadline for properties: how long an example takes is the machine's affair."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
