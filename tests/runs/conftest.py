"""Small runs on disk, made without training anything."""

from tests.support.made_runs import config as config
from tests.support.made_runs import finished_run as finished_run
