"""What every test gets: databases are closed when it ends, the user's cache is not touched."""

import signal
from collections.abc import Iterator

import pytest

from agent.store import Store


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHE_DIRECTORY", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def signals_count() -> None:
    """Jobs in the background ignore Ctrl-C, those of `nohup` a lost terminal, and so would every
    command that a test starts: a handler here is none there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(autouse=True)
def close_databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python 3.13 warns of each connection that is left open, and warnings are errors here."""
    opened: list[Store] = []
    make = Store.__init__

    def make_and_remember(store: Store, *args: object, **more: object) -> None:
        make(store, *args, **more)  # type: ignore[arg-type]
        opened.append(store)

    monkeypatch.setattr(Store, "__init__", make_and_remember)
    yield
    for store in opened:
        store.close()
