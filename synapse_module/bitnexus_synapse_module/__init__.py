"""The BitNexus module for Synapse: tenants stay apart, decided before an event exists."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitnexus_synapse_module.module import BitnexusModule

__all__ = ["BitnexusModule"]


def __getattr__(name: str) -> object:
    """Load the glue only when Synapse asks for it: the rules are also used where Synapse is not installed."""
    if name == "BitnexusModule":
        from bitnexus_synapse_module.module import BitnexusModule

        return BitnexusModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
