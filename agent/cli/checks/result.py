"""One line of `check`."""

from dataclasses import dataclass

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`hint` says what a person can do about it; whatever is not well has one."""

    part: str
    verdict: str
    text: str
    hint: str = ""

    def __post_init__(self) -> None:
        assert self.hint or self.verdict == OK, self.text

    def __str__(self) -> str:
        return f"{self.verdict:<8} {self.part:<12} {self.text}{self.hint and f'; {self.hint}'}"


def passed(part: str, text: str) -> CheckResult:
    return CheckResult(part, OK, text)


def warning(part: str, text: str, hint: str) -> CheckResult:
    return CheckResult(part, WARNING, text, hint)


def failed(part: str, text: str, hint: str) -> CheckResult:
    return CheckResult(part, FAILED, text, hint)
