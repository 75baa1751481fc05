from . import analysis as analysis
from . import contract as contract
from . import metrics as metrics
from . import plots as plots
from . import quantizers as quantizers
from . import widgets as widgets
from .analysis.codes import codes as codes
from .errors import InputError as InputError
from .quantizers import QUANTIZERS as QUANTIZERS
from .quantizers import register as register
from .runs.config import TrainConfig as TrainConfig
from .runs.encoding import Encoding as Encoding
from .runs.encoding import encode as encode
from .runs.encoding import encode_training as encode_training
from .runs.evaluate import evaluate as evaluate
from .runs.run import Run as Run
from .runs.run import open_run as open_run
from .runs.study import Study as Study
from .runs.study import study as study
from .training.controls import Controls as Controls
from .training.loop import LogEvent as LogEvent
from .training.loop import resume as resume
from .training.loop import train as train
from .training.presets import PRESETS as PRESETS
from .training.presets import preset as preset
from .training.tutorial import tutorial_run as tutorial_run

__version__: str
