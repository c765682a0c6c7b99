"""What a month costs, worked out from what one poll takes and from Microsoft's list prices."""

from __future__ import annotations

from dataclasses import dataclass

from reference.tables import table

MAILBOXES = (1, 100, 10_000)
POLLS_A_MONTH = 6 * 24 * 30
ROTATIONS_A_MONTH = 30
MAILS_A_MONTH = 1_000
MAIL_MEGABYTES = 0.075
MONTHS_KEPT = 12
SAMPLED_FROM = 1_000


@dataclass(frozen=True)
class Figure:
    """A figure of the arithmetic: a price in US dollars, or a quantity of one poll or one mail."""

    name: str
    value: float
    unit: str
    source: str


SECONDS = Figure("a poll", 4, "s", "Exchange Online takes seconds to log in; estimated")
AT_ONCE = Figure("polls at once on an instance", 16, "", "`batchSize` in host.json")
RAMP = Figure("instances that start and end", 1.25, "times", "estimated")
TIMERS = Figure("both timers, a round", 2, "s", "estimated")
MEMORY = Figure("an instance", 2, "GB", "`instanceMemoryMB` in infra/")
TABLE_OPERATIONS = Figure("table operations, an idle poll", 3, "", "limit, held by the benchmark")
MAIL_OPERATIONS = Figure("storage operations, a mail", 0.06, "", "limit, held by the benchmark")
QUEUE_OPERATIONS = Figure("queue operations, a poll", 3, "", "put, get, delete")
VAULT_OPERATIONS = Figure("vault operations, a mailbox a day", 100, "", "two for each access token, three a rotation")
LOG_KILOBYTES = Figure("log, a poll", 3, "KB", "the event and the platform's own lines; estimated")
TRACE_KILOBYTES = Figure("trace, a poll that is sampled", 8, "KB", "its spans; estimated")

GIGABYTE_SECOND = Figure("execution time", 0.000026, "$ a GB-s", "Flex Consumption, after 100,000 free")
EXECUTIONS = Figure("executions", 0.40, "$ a million", "Flex Consumption, after 250,000 free")
TABLES = Figure("table operations", 0.00036, "$ for 10,000", "Table Storage, LRS")
QUEUES = Figure("queue operations", 0.004, "$ for 10,000", "Queue Storage, LRS")
BLOBS = Figure("blobs", 0.018, "$ a GB a month", "Blob Storage, hot, LRS")
VAULT = Figure("vault operations", 0.03, "$ for 10,000", "Key Vault, standard")
LOGS = Figure("logs", 2.30, "$ a GB", "Log Analytics, pay as you go, after 5 GB free")

QUANTITIES = (
    SECONDS,
    AT_ONCE,
    RAMP,
    TIMERS,
    MEMORY,
    TABLE_OPERATIONS,
    MAIL_OPERATIONS,
    QUEUE_OPERATIONS,
    VAULT_OPERATIONS,
    LOG_KILOBYTES,
    TRACE_KILOBYTES,
)
PRICES = (GIGABYTE_SECOND, EXECUTIONS, TABLES, QUEUES, BLOBS, VAULT, LOGS)


def quantities() -> str:
    """What one poll and one mail take."""
    return table(
        ("what", "how much", "from"), [(each.name, f"{each.value:g} {each.unit}", each.source) for each in QUANTITIES]
    )


def prices() -> str:
    """The prices."""
    return table(
        ("what", "price", "which"), [(each.name, f"{each.value:g} {each.unit}", each.source) for each in PRICES]
    )


def months() -> str:
    """A month's bill for each number of mailboxes, with the arithmetic."""
    bills = [bill(count) for count in MAILBOXES]
    rows = [(name, *(_entry(*each[name]) for each in bills)) for name in bills[0]]
    totals = (f"**${sum(cost for _, _, cost in each.values()):,.2f}**" for each in bills)
    headings = ("a month", *(f"{count:,} mailbox{'es' if count > 1 else ''}" for count in MAILBOXES))
    return table(headings, [*rows, ("**together**", *totals)])


def bill(mailboxes: int) -> dict[str, tuple[float, str, float]]:
    """For each kind of cost: how much is used, its unit, and what it costs."""
    polls = mailboxes * POLLS_A_MONTH
    mails = mailboxes * MAILS_A_MONTH
    executions = polls + mailboxes * ROTATIONS_A_MONTH + 2 * POLLS_A_MONTH
    round_seconds = max(SECONDS.value, mailboxes * SECONDS.value / AT_ONCE.value * RAMP.value) + TIMERS.value
    gigabyte_seconds = round_seconds * POLLS_A_MONTH * MEMORY.value
    table_operations = polls * TABLE_OPERATIONS.value + mails * MAIL_OPERATIONS.value
    queue_operations = polls * QUEUE_OPERATIONS.value
    vault_operations = mailboxes * VAULT_OPERATIONS.value * 30
    gigabytes = mails * MAIL_MEGABYTES * MONTHS_KEPT / 1024
    logs = polls * (LOG_KILOBYTES.value + TRACE_KILOBYTES.value * sampled(mailboxes)) / 1024**2
    return {
        "execution time": (
            gigabyte_seconds,
            "GB-s",
            max(0, gigabyte_seconds - 100_000) * GIGABYTE_SECOND.value,
        ),
        "executions": (executions, "", max(0, executions - 250_000) / 1e6 * EXECUTIONS.value),
        "tables": (table_operations, "operations", table_operations / 1e4 * TABLES.value),
        "queues": (queue_operations, "operations", queue_operations / 1e4 * QUEUES.value),
        "raw mail": (gigabytes, "GB", gigabytes * BLOBS.value),
        "Key Vault": (vault_operations, "operations", vault_operations / 1e4 * VAULT.value),
        "logs and traces": (logs, "GB", max(0, logs - 5) * LOGS.value),
    }


def sampled(mailboxes: int) -> float:
    """The share of polls whose trace is kept: all, or one in a hundred from a thousand mailboxes on."""
    return 1 if mailboxes < SAMPLED_FROM else 0.01


def _entry(quantity: float, unit: str, cost: float) -> str:
    return f"{quantity:,.0f} {unit}".strip() + f": ${cost:,.2f}"


def _figures(headings: tuple[str, str, str], figures: tuple[Figure, ...]) -> str:
    return table(headings, [(each.name, f"{_number(each.value)} {each.unit}".strip(), each.source) for each in figures])


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
