from . import analysis as analysis
from . import metrics as metrics
from . import plots as plots
from . import quantizers as quantizers
from . import widgets as widgets
from .errors import InputError as InputError
from .quantizers import QUANTIZERS as QUANTIZERS
from .training.config import PRESETS as PRESETS
from .training.config import TrainConfig as TrainConfig
from .training.config import preset as preset
from .training.controls import Controls as Controls
from .training.encode import Encoding as Encoding
from .training.encode import encode as encode
from .training.encode import encode_training as encode_training
from .training.evaluate import evaluate as evaluate
from .training.loop import LogEvent as LogEvent
from .training.loop import resume as resume
from .training.loop import train as train
from .training.run import Run as Run
from .training.run import open_run as open_run
from .training.tutorial import tutorial_run as tutorial_run

__version__: str
