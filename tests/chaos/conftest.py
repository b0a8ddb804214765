"""A profile of hypothesis for :mod:`tests.chaos.mutations`, where a failure need not be short."""

from hypothesis import Phase, settings

settings.register_profile("unshrunk", phases=(Phase.explicit, Phase.generate))
