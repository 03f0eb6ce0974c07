"""Worker processes that end with the stage that started them."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Lets this worker end when its parent is killed; without it, it would wait for the next face for ever."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
