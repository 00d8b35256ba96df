"""Raw rows as Markdown tables: medians over rounds with their lowest and highest, and ratios that
are medians of the ratios within a round.

Rule: round 0 warmed up and stands in its own column or nowhere; a median is of rates of rounds, in
this thread's CPU time for work in memory and in wall time where the disk is waited for.
"""

import statistics
from collections import Counter
from collections.abc import Iterable

from bench.rows import Row

HASHES = ("sha1", "sha256", "sha512")


def where(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """The rows that have these values."""
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def rates(rows: list[Row], count: str = "attempts", clock: str = "cpu_s") -> list[float]:
    """`count` a second of every round but the first; the first where there is no other."""
    kept = [row for row in rows if row["round"]] or rows
    return [row[count] / row[clock] for row in kept]


def middle(rows: list[Row], count: str = "attempts", clock: str = "cpu_s") -> float:
    """The median rate, 0 without rows."""
    return statistics.median(rates(rows, count, clock)) if rows else 0.0


def median_of(rows: list[Row], name: str) -> float:
    kept = [row[name] for row in rows if row["round"]] or [row[name] for row in rows]
    return statistics.median(kept) if kept else 0.0


def number(value: float) -> str:
    """Three figures that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def millions(rows: list[Row], count: str = "attempts", clock: str = "cpu_s") -> str:
    """Median and range in millions a second, or a dash."""
    if not rows:
        return "-"
    all_rates = [rate / 1e6 for rate in rates(rows, count, clock)]
    low, high = number(min(all_rates)), number(max(all_rates))
    return f"{number(statistics.median(all_rates))} [{low}..{high}]"


def first_round(rows: list[Row]) -> str:
    first = where(rows, round=0)
    return number(first[0]["attempts"] / first[0]["cpu_s"] / 1e6) if first else "-"


def times(
    mine: list[Row], theirs: list[Row], count: str = "attempts", clock: str = "cpu_s"
) -> float:
    """How many times the others' rate: the median of the ratios within a round, for a noisy minute
    slows both; 0 without rows. A row of a journal stands for a batch of attempts."""
    first = {row["round"]: _done(row, count) / row[clock] for row in mine}
    second = {row["round"]: _done(row, count) / row[clock] for row in theirs}
    both = [first[turn] / second[turn] for turn in first if turn in second and turn]
    return statistics.median(both) if both else 0.0


def _done(row: Row, count: str) -> int:
    return int(row["rows"]) * int(row["batch"]) if row["what"] == "journal" else int(row[count])


def ratio(value: float) -> str:
    return number(value) if value else "-"


def markdown(heads: list[str], lines: list[list[str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *lines])


# ---- kernel ----


def lanes_of(rows: list[Row], algorithm: str, lanes: int, peer: str, kernel: str) -> list[Row]:
    return where(rows, what="lanes", hash=algorithm, lanes=lanes, peer=peer, kernel=kernel)


def kernel_tables(rows: list[Row]) -> str:
    """HMACs a second of every row and peer, then the table loops."""
    lanes = where(rows, what="lanes")
    sources = list(dict.fromkeys((row["peer"], row["kernel"], row["does"]) for row in lanes))
    most = max(row["lanes"] for row in lanes)
    scalar = lanes_of(rows, "sha1", most, "openssl-no-sha", "scalar")
    lines = []
    for peer, kernel, does in sources:
        hidden = ", SHA extensions hidden" if peer == "openssl-no-sha" else ""
        cells = [f"{does}{hidden}"]
        cells += [
            millions(lanes_of(rows, name, most, peer, kernel), "hmacs") for name in HASHES
        ]
        one = lanes_of(rows, "sha1", most, peer, kernel)
        cells.append(ratio(times(one, scalar, "hmacs")))
        for few in (1, 3, 16):
            rate = middle(lanes_of(rows, "sha1", few, peer, kernel), "hmacs")
            cells.append(number(rate / 1e6))
        lines.append(cells)
    heads = ["M HMAC/s from midstates in L1", *(f"{name}, {most} lanes" for name in HASHES),
             "sha1: ratio", *(f"sha1, {few}" for few in (1, 3, 16))]  # fmt: skip
    return markdown(heads, lines) + "\n\n" + table_table(where(rows, what="table"))


def table_table(rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = []
    for kernel in dict.fromkeys(row["kernel"] for row in where(rows, peer="watchword")):
        bare = where(rows, peer="watchword", loop="bare", kernel=kernel)
        match = where(rows, peer="watchword", loop="match", kernel=kernel)
        share = ratio(times(match, bare))
        lines.append([f"row {kernel}", millions(bare), millions(match), first_round(match), share])
    intel = where(rows, peer="intel")
    if intel:
        lines.append([f"Intel multi-buffer, {intel[0]['kernel']}, MACs only", millions(intel),
                      "-", first_round(intel), "-"])  # fmt: skip
    heads = [f"M logins/s, three HMACs each, random of {rows[0]['users']:,} users",
             "HMACs alone", "windows, HMACs, codes, masks", "first round", "share"]  # fmt: skip
    return markdown(heads, lines)


# ---- scale ----


def scale_tables(rows: list[Row]) -> str:
    """All tables of one run of `scale`."""
    parts = [users_table(rows), verdicts_line(rows), standing_table(rows), peers_table(rows),
             sizes_table(rows), disk_table(rows)]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def user_counts(rows: list[Row]) -> list[int]:
    return sorted({row["users"] for row in where(rows, what="wrong")})


def in_use(rows: list[Row]) -> str:
    """The kernel row that figures without a row's name were measured with: the first one run."""
    return str(where(rows, what="wrong")[0]["kernel"])


def wrong(rows: list[Row], users: int, kernel: str = "") -> list[Row]:
    named = kernel or in_use(rows)
    return where(rows, what="wrong", users=users, way="columns", kernel=named)


def users_table(rows: list[Row]) -> str:
    kernels = list(dict.fromkeys(row["kernel"] for row in where(rows, what="wrong")))
    lines = []
    for users in user_counts(rows):
        here = where(rows, users=users)
        cells = [f"{users:,}", millions(wrong(rows, users)), first_round(wrong(rows, users))]
        cells += [number(middle(wrong(rows, users, name)) / 1e6) for name in kernels[1:]]
        cells += [number(middle(where(here, what="hot")) / 1e6)]
        cells += [number(middle(where(here, what="right")) / 1e6)]
        cells += [number(middle(where(here, what="wrong", way="list")) / 1e6)]
        cells += [number(middle(where(here, what="one user")) / 1e6)]
        lines.append(cells)
    heads = ["users", f"wrong codes, row {kernels[0]}", "first round",
             *(f"row {name}" for name in kernels[1:]), "1,000 hot users", "right codes",
             "lists of str", "one user"]  # fmt: skip
    return markdown([f"M logins/s, {heads[0]}", *heads[1:]], lines)


def verdicts_line(rows: list[Row]) -> str:
    """What was answered, so that a run of LOCKED cannot pass for a run of REJECTED."""
    said = []
    for what in ("wrong", "hot", "right", "one user"):
        sums: Counter[str] = Counter()
        for row in where(rows, what=what):
            sums.update(row["verdicts"])
        counted = ", ".join(f"{count:,} {name}" for name, count in sums.most_common())
        said.append(f"{what}: {counted}")
    return f"Verdicts of all rounds: {'; '.join(said)}."


def standing_table(rows: list[Row]) -> str:
    lines = []
    for row in where(rows, what="add"):
        users = row["users"]
        one = where(rows, what="one", peer="watchword", users=users)
        lines.append([
            f"{users:,}", f"{users / row['wall_s']:,.0f}", f"{row['memory_bytes'] / users:,.0f}",
            f"{row['resident_bytes'] / users:,.0f}", f"{row['huge_bytes'] / 2**20:,.0f}",
            number(median_of(one, "median_s") * 1e6), number(median_of(one, "p99_s") * 1e6),
        ])  # fmt: skip
    heads = ["users", "added/s", "bytes a user, tables", "bytes a user, resident",
             "MiB in huge pages", "one verify, microseconds", "p99"]  # fmt: skip
    return markdown(heads, lines)


def peers_table(rows: list[Row]) -> str:
    most = user_counts(rows)[-1]
    ours = wrong(rows, most)
    lines = []
    for does in dict.fromkeys(row["does"] for row in where(rows, what="peer")):
        theirs = where(rows, what="peer", does=does)
        lines.append([does, millions(theirs), ratio(times(ours, theirs))])
    heads = ["peer, wrong codes of the same attempts", "M/s", f"verify_many, {most:,} users: times"]
    return markdown(heads, lines)


def sizes_table(rows: list[Row]) -> str:
    sized = where(rows, what="size")
    sizes = sorted({row["batch"] for row in sized})
    lines = [[f"{size:,}", millions(where(sized, batch=size))] for size in sizes]
    users = f"{sized[0]['users']:,}" if sized else ""
    return markdown(["attempts in a batch", f"M logins/s, {users} users"], lines) if sized else ""


def disk_table(rows: list[Row]) -> str:
    lines = []
    for opened in where(rows, what="open"):
        here = where(rows, users=opened["users"])
        added, durable = where(here, what="add on disk")[0], where(here, what="durable")
        journal, syncs = where(here, what="journal"), where(here, what="sync")
        alone = middle(journal, "rows", "wall_s") * durable[0]["batch"]
        lines.append([
            f"{opened['users']:,}", f"{added['users'] / added['wall_s']:,.0f}",
            number(added["close_s"]), number(opened["disk_bytes"] / 2**30),
            number(opened["wall_s"]), f"{opened['resident_bytes'] / opened['users']:,.0f}",
            millions(durable, clock="wall_s"), number(median_of(durable, "p50_s") * 1e3),
            number(median_of(durable, "p99_s") * 1e3), number(alone / 1e6),
            ratio(times(durable, journal, clock="wall_s")),
            number(median_of(syncs, "p50_s") * 1e6),
            number(max(row["journal_bytes"] for row in durable) / 2**20),
        ])  # fmt: skip
    heads = ["users on disk", "added/s", "closing, s", "GiB", "open to first answer, warm, s",
             "bytes a user, resident", "M logins/s, durable", "batch p50, ms", "p99, ms",
             "journal alone, M/s", "share", "4 KiB sync, microseconds", "journal, MiB"]  # fmt: skip
    return markdown(heads, lines) if lines else ""


# ---- goals ----


def goals_table(kernel: list[Row], scale: list[Row]) -> str:
    """What this project asks of itself, and what was measured."""
    lines = [*(scale_goals(scale) if scale else []), *(kernel_goals(kernel) if kernel else [])]
    return markdown(["goal", "at least", "measured"], [
        [text, number(asked) if asked > 0 else f"at most {number(-asked)}",
         number(measured) if measured else "-"] for text, asked, measured in lines
    ])  # fmt: skip


def scale_goals(rows: list[Row]) -> list[tuple[str, float, float]]:
    """Goal, least (negative: most), measured."""
    few, most = user_counts(rows)[0], user_counts(rows)[-1]
    best = wrong(rows, most)
    pyotp = where(rows, what="peer", peer="pyotp")
    oath = where(rows, what="peer", peer="liboath")
    one = median_of(where(rows, what="one", peer="watchword", users=few), "median_s")
    added = where(rows, what="add", users=most)[0]
    said = [
        (f"wrong codes, {most:,} users: times pyotp", 200, times(best, pyotp)),
        (f"wrong codes, {most:,} users: times liboath", 10, times(best, oath)),
        (f"{most:,} users against {few:,}", 0.5, times(best, wrong(rows, few))),
    ]
    for row, asked in (("avx2", 4), ("portable", 1.2)):
        said.append((f"row {row}: times liboath", asked, times(wrong(rows, most, row), oath)))
    said += [
        ("one verify, microseconds", -3, one * 1e6),
        ("users added from columns, M/s", 0.5, most / added["wall_s"] / 1e6),
        ("bytes a user, everything resident", -256, added["resident_bytes"] / most),
    ]
    for opened in where(rows, what="open", users=most):
        said.append((f"open to first answer, {most:,} users, s", -5, opened["wall_s"]))
    for users in sorted({row["users"] for row in where(rows, what="durable")}):
        durable = where(rows, what="durable", users=users)
        journal = where(rows, what="journal", users=users)
        rate = middle(durable, clock="wall_s")
        said += [
            (f"durable batches of 1,024, {users:,} users, M/s", 1, rate / 1e6),
            ("the same: p99 of a batch, ms", -2, median_of(durable, "p99_s") * 1e3),
            ("the same: share of the journal alone", 0.8, times(durable, journal, clock="wall_s")),
        ]
    return said


def kernel_goals(rows: list[Row]) -> list[tuple[str, float, float]]:
    most = max(row["lanes"] for row in where(rows, what="lanes"))
    scalar = lanes_of(rows, "sha1", most, "openssl-no-sha", "scalar")
    said: list[tuple[str, float, float]] = []
    for row, asked in (("avx512", 12), ("avx2", 5), ("portable", 1)):
        mine = lanes_of(rows, "sha1", most, "watchword", row)
        said.append((f"HMAC-SHA-1, row {row}: times scalar C", asked, times(mine, scalar, "hmacs")))
    table = where(rows, what="table", peer="watchword")
    if table:
        first = table[0]["kernel"]
        match = where(table, loop="match", kernel=first)
        bare = where(table, loop="bare", kernel=first)
        intel = where(rows, what="table", peer="intel")
        users = f"{table[0]['users']:,}"
        said += [
            (f"matching, table of {users} users: share of HMACs alone", 0.8, times(match, bare)),
            ("the same: times Intel multi-buffer", 2, times(match, intel)),
        ]
    return said
