"""Configuration as code: providers, models, prompts and councils as one JSON document, described in docs/configuration.md."""

from councils.secret_names import secret_names
from councils.services.configuration.applying import Applied, apply_configuration
from councils.services.configuration.dumping import dump_configuration, dump_council, dump_councils
from councils.services.configuration.reading import ConfigurationRejected, check_storable, parse_document

__all__ = [
    "Applied",
    "ConfigurationRejected",
    "apply_configuration",
    "check_storable",
    "dump_configuration",
    "dump_council",
    "dump_councils",
    "parse_document",
    "secret_names",
]
