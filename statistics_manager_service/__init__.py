"""FlexiHome statistics manager: telemetry of homes in, statistics that people can trust out."""

__version__ = "1.0.0"
