"""Checks models beyond their shape: names used twice, unknown targets, weights without effect, circular fallbacks."""

from collections.abc import Mapping
from typing import Any

from antiphon.catalog.kinds import load_kinds
from antiphon.catalog.models import load_facts
from antiphon.catalog.routes import find_cycle, split_target
from antiphon.config.document import Document, Path, format_path, hint_at_nearest
from antiphon.config.schema import ModelBlock, ProviderBlock


class ModelChecker:
    """Adds the faults of all models to ``document``; ``models`` and ``providers`` are those of valid shape."""

    def __init__(
        self, document: Document, models: Mapping[str, ModelBlock], providers: Mapping[str, ProviderBlock]
    ) -> None:
        self._document = document
        self._values = document.values
        section = document.values.get("models")
        self._section: dict[str, Any] = section if isinstance(section, dict) else {}
        self._models = models
        self._providers = providers
        self._kinds = load_kinds()
        self._names: dict[str, Path] = {}
        self._add_fault = document.add_fault

    def check(self) -> None:
        """Add every fault."""
        self._collect_names()
        for name, value in self._section.items():
            self._check_model(name, value)
        self._check_cycles()

    def _collect_names(self) -> None:
        """Collect every name and alias; a name that is used twice is a fault."""
        models = self._section
        self._names = {name: ("models", name) for name in models}
        for name, value in models.items():
            aliases = value.get("aliases") if isinstance(value, dict) else None
            for number, alias in enumerate(aliases if isinstance(aliases, list) else ()):
                path = ("models", name, "aliases", number)
                if not isinstance(alias, str) or self._document.is_faulty(path):
                    continue
                if (other := self._names.get(alias)) is not None:
                    line = self._document.find_line(other)
                    problem = f"the name `{alias}` is taken by {format_path(other)} (line {line})"
                    self._add_fault(path, problem, "choose another")
                else:
                    self._names[alias] = path

    def _check_model(self, name: str, value: Any) -> None:
        path = ("models", name)
        mapping = {"targets": [value]} if isinstance(value, str) else value
        if not isinstance(mapping, dict):
            return
        targets = mapping.get("targets")
        self._check_targets(path, targets if isinstance(targets, list) else [], isinstance(value, str))
        fallbacks = mapping.get("fallbacks")
        for number, fallback in enumerate(fallbacks if isinstance(fallbacks, list) else ()):
            fallback_path = (*path, "fallbacks", number)
            if not isinstance(fallback, str) or fallback in self._names or self._document.is_faulty(fallback_path):
                continue
            self._check_target(fallback_path, fallback, may_be_model=True)
        if (block := self._models.get(name)) is not None:
            self._check_weights(path, block)

    def _check_targets(self, model_path: Path, targets: list[Any], shorthand: bool) -> None:
        seen: set[str] = set()
        for number, target in enumerate(targets):
            path = model_path if shorthand else (*model_path, "targets", number)
            text = target
            if isinstance(target, dict):
                path, text = (*path, "model"), target.get("model")
            if not isinstance(text, str) or not text or self._document.is_faulty(path):
                continue
            if text in seen:
                self._add_fault(path, f"`{text}` is listed twice; the second entry would never be used", "remove one")
            elif self._check_target(path, text):
                seen.add(text)

    def _check_target(self, path: Path, text: str, may_be_model: bool = False) -> bool:
        split = split_target(text)
        if split is None:
            if may_be_model:
                problem = f"unknown model `{text}`"
                hint = hint_at_nearest(text, self._names)
            else:
                problem = f"`{text}` does not have the form `provider/model`"
                hint = "another model goes into `fallbacks`" if text in self._names else self._hint_at_provider(text)
            self._add_fault(path, problem, hint or "write `provider/model`")
            return False
        provider, _ = split
        if provider in self._list_providers():
            return True
        if self._document.is_faulty(("providers", provider)):
            return False
        self._add_fault(path, f"unknown provider `{provider}`", self._hint_at_unknown(provider))
        return False

    def _list_providers(self) -> set[str]:
        section = self._values.get("providers")
        names = set(section) if isinstance(section, dict) else set()
        always = (kind for kind in self._kinds.values() if kind.always)
        return names | {kind.name for kind in always if self._values.get(kind.switch, True) is not False}

    def _hint_at_unknown(self, provider: str) -> str:
        names = self._list_providers()
        if hint := hint_at_nearest(provider, names):
            return hint
        kind = self._kinds.get(provider)
        if kind is None:
            return f"configured: {', '.join(sorted(names))}"
        if kind.always:
            return f"it is switched off by `{kind.switch}: false`"
        return f"add it under `providers`: `{provider}: {{api_key: ${{{kind.env[0]}}}}}`" if kind.env else "add it"

    def _hint_at_provider(self, text: str) -> str:
        for name, block in self._providers.items():
            if load_facts().has(block.kind or name, text):
                return f"did you mean `{name}/{text}`?"
        return ""

    def _check_weights(self, path: Path, block: ModelBlock) -> None:
        weights = [target.weight for target in block.targets]
        stated = [weight for weight in weights if weight is not None]
        if stated and block.strategy == "order":
            problem = "weights have no effect with `order`"
            self._add_fault((*path, "strategy"), problem, "use `weighted`, or remove them")
        elif stated and len(stated) == len(weights) and not any(stated):
            self._add_fault((*path, "targets"), "every weight is 0, so no target would ever be used", "raise one")

    def _check_cycles(self) -> None:
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
            cycle = find_cycle(name, edges)
            if cycle is not None and frozenset(cycle) not in reported:
                reported.add(frozenset(cycle))
                problem = f"the fallbacks form a circle: {' → '.join(cycle)}"
                self._add_fault(("models", name, "fallbacks"), problem, "remove one of them")
