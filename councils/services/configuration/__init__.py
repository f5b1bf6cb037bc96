"""Configuration as code: providers, models, prompts and councils as one JSON document, described in docs/configuration.md."""

from councils.services.configuration.applying import Applied, apply_configuration
from councils.services.configuration.dumping import dump_configuration
from councils.services.configuration.reading import ConfigurationRejected, parse_document
from councils.services.configuration.secrets import secret_names

__all__ = ["Applied", "ConfigurationRejected", "apply_configuration", "dump_configuration", "parse_document", "secret_names"]
