"""What the owner decides: one YAML file, every value also from the environment.

`load_config` reports every fault at once; nothing is started from a wrong file.
"""

from agent.config.document import Config, config_model
from agent.config.load import load_config, secrets_in

__all__ = ["Config", "config_model", "load_config", "secrets_in"]
