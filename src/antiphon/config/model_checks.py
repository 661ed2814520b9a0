"""What can be wrong with models beyond their shape: names used twice, targets that nobody has, weights, circles."""

from collections.abc import Mapping
from typing import Any

from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.models import load_facts
from antiphon.catalog.routes import loop, split_target
from antiphon.config.document import Document, Path, dotted, nearest
from antiphon.config.schema import ModelBlock, ProviderBlock


class ModelsCheck:
    """Notes the faults of all models of ``document``, of which those without a fault in their shape are given."""

    def __init__(
        self, document: Document, models: Mapping[str, ModelBlock], providers: Mapping[str, ProviderBlock]
    ) -> None:
        self._document = document
        self._values = document.values
        section = document.values.get("models")
        self._section: dict[str, Any] = section if isinstance(section, dict) else {}
        self._models = models
        self._accounts = providers
        self._kinds = load_kinds()
        self._names: dict[str, Path] = {}
        self._fault = document.fault

    def check(self) -> None:
        """Note every fault."""
        self._note_names()
        for name, value in self._section.items():
            self._model(name, value)
        self._loops()

    def _note_names(self) -> None:
        """Note every name and alias once; a second use of one is a clash."""
        models = self._section
        self._names = {name: ("models", name) for name in models}
        for name, value in models.items():
            aliases = value.get("aliases") if isinstance(value, dict) else None
            for number, alias in enumerate(aliases if isinstance(aliases, list) else ()):
                where = ("models", name, "aliases", number)
                if not isinstance(alias, str) or self._document.is_faulty(where):
                    continue
                if (other := self._names.get(alias)) is not None:
                    line = self._document.line(other)
                    self._fault(
                        where, f"the name `{alias}` is taken by {dotted(other)} (line {line})", "choose another"
                    )
                else:
                    self._names[alias] = where

    def _model(self, name: str, value: Any) -> None:
        path = ("models", name)
        whole = {"targets": [value]} if isinstance(value, str) else value
        if not isinstance(whole, dict):
            return
        targets = whole.get("targets")
        self._targets(path, targets if isinstance(targets, list) else [], isinstance(value, str))
        fallbacks = whole.get("fallbacks")
        for number, fallback in enumerate(fallbacks if isinstance(fallbacks, list) else ()):
            where = (*path, "fallbacks", number)
            if isinstance(fallback, str) and fallback not in self._names and not self._document.is_faulty(where):
                self._target(where, fallback, fallback_names=True)
        if (block := self._models.get(name)) is not None:
            self._weights(path, block)

    def _targets(self, path: Path, targets: list[Any], shorthand: bool) -> None:
        seen: set[str] = set()
        for number, target in enumerate(targets):
            where = path if shorthand else (*path, "targets", number)
            text = target
            if isinstance(target, dict):
                where, text = (*where, "model"), target.get("model")
            if not isinstance(text, str) or not text or self._document.is_faulty(where):
                continue
            if text in seen:
                self._fault(where, f"`{text}` is listed twice, and the second is never reached", "remove one")
            elif self._target(where, text):
                seen.add(text)

    def _target(self, where: Path, text: str, fallback_names: bool = False) -> bool:
        split = split_target(text)
        if split is None:
            if fallback_names:
                problem, names = f"unknown model `{text}`", self._names
                hint = nearest(text, names)
            else:
                problem = f"`{text}` is not of the form `provider/model`"
                hint = "another model goes into `fallbacks`" if text in self._names else self._complete(text)
            self._fault(where, problem, hint or "write `provider/model`")
            return False
        provider, _ = split
        if provider in self._providers():
            return True
        if self._document.is_faulty(("providers", provider)):
            return False
        self._fault(where, f"unknown provider `{provider}`", self._provider_hint(provider))
        return False

    def _providers(self) -> set[str]:
        section = self._values.get("providers")
        names = set(section) if isinstance(section, dict) else set()
        always = (kind for kind in self._kinds.values() if kind.always)
        return names | {kind.name for kind in always if self._values.get(kind.switch, True) is not False}

    def _provider_hint(self, provider: str) -> str:
        names = self._providers()
        if hint := nearest(provider, names):
            return hint
        kind = self._kinds.get(provider)
        if kind is None:
            return f"configured: {', '.join(sorted(names))}"
        if kind.always:
            return f"it is switched off by `{kind.switch}: false`"
        return f"add it under `providers`: `{provider}: {{api_key: ${{{kind.env[0]}}}}}`" if kind.env else "add it"

    def _complete(self, text: str) -> str:
        for name, block in self._accounts.items():
            if load_facts().knows(block.kind or name, text):
                return f"did you mean `{name}/{text}`?"
        return ""

    def _weights(self, path: Path, block: ModelBlock) -> None:
        weights = [target.weight for target in block.targets]
        given = [weight for weight in weights if weight is not None]
        if given and block.strategy == "order":
            self._fault((*path, "strategy"), "weights have no effect with `order`", "use `weighted`, or remove them")
        elif given and len(given) == len(weights) and not any(given):
            self._fault((*path, "targets"), "every weight is 0, so no target would ever be used", "raise one")

    def _loops(self) -> None:
        owners = {name: str(path[1]) for name, path in self._names.items()}
        edges = {
            name: [
                owners[other] for other in value.get("fallbacks") or () if isinstance(other, str) and other in owners
            ]
            for name, value in self._section.items()
            if isinstance(value, dict) and isinstance(value.get("fallbacks") or [], list)
        }
        reported: set[frozenset[str]] = set()
        for name in edges:
            way = loop(name, edges)
            if way is not None and frozenset(way) not in reported:
                reported.add(frozenset(way))
                self._fault(
                    ("models", name, "fallbacks"), f"the fallbacks run in a circle: {' → '.join(way)}", "break it"
                )
