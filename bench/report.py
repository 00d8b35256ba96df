"""`python -m bench report`: tables and pictures from the raw rows that were kept.

Tables are of the newest run of each benchmark and go into bench/README.md, between markers
(`<!-- scale -->` and `<!-- /scale -->`); text around them is left alone, and what has no markers is
not written. Pictures go to bench/results/. Quick runs are left out, unless told.
"""

import argparse
from pathlib import Path

from bench import daemon, engine, kinds, plots, soak, tables
from bench.rows import RESULTS, Row, Run, load

README = Path(__file__).parent / "README.md"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench report", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of raw rows")
    parser.add_argument("--readme", type=Path, default=README, help="where the tables go")
    parser.add_argument("--with-quick", action="store_true", help="quick runs count as well")
    options = parser.parse_args(arguments)
    kept = {
        name: [
            run for run in load(name, options.results)
            if options.with_quick or not run.host.get("quick")
        ]
        for name in ("engine", "kinds", "kernel", "scale", "daemon", "soak")
    }  # fmt: skip
    sections = write_sections(kept)
    text = options.readme.read_text()
    for name in [name for name in sections if f"<!-- {name} -->" not in text]:
        print(f"{options.readme} has no markers for {name}")
        del sections[name]
    for name, section in sections.items():
        text = put(text, name, section)
    options.readme.write_text(text)
    drawn = draw(kept, options.results)
    said = [f"{name}: {len(runs)} runs" for name, runs in kept.items()]
    print(f"{'; '.join(said)}\n{options.readme}: {', '.join(sections) or 'nothing to write'}")
    print("\n".join(map(str, drawn)))
    return 0 if sections else 1


def write_sections(kept: dict[str, list[Run]]) -> dict[str, str]:
    """Markdown for each pair of markers that there are rows for."""
    sections: dict[str, str] = {}
    newest = {name: runs[-1] for name, runs in kept.items() if runs}
    if "engine" in newest:
        sections["engine"] = f"{engine_table(newest['engine'])}\n\n{measured(newest['engine'])}"
    if "kinds" in newest:
        sections["kinds"] = f"{kinds.table(newest['kinds'].rows)}\n\n{measured(newest['kinds'])}"
    if "kernel" in newest:
        run = newest["kernel"]
        sections["kernel"] = f"{tables.kernel_tables(run.rows)}\n\n{measured(run)}"
    if "scale" in newest:
        run = newest["scale"]
        sections["scale"] = f"{tables.scale_tables(run.rows)}\n\n{measured(run)}"
    if "daemon" in newest:
        run = newest["daemon"]
        parts = (daemon.goals(run.rows), daemon.table(run.rows), measured(run))
        sections["daemon"] = "\n\n".join(parts)
    if "soak" in newest:
        run = newest["soak"]
        sections["soak"] = f"{soak.table(run.rows)}\n\n{measured(run)}"
    both = [newest[name].rows if name in newest else [] for name in ("kernel", "scale")]
    if any(both):
        sections["goals"] = tables.goals_table(*both)
    return sections


def engine_table(run: Run) -> str:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in run.rows:
        groups.setdefault((row["peer"], row["way"]), []).append(row)
    return engine.table(list(groups.values()))


def measured(run: Run) -> str:
    host = run.host
    memory = f", {host['memory_gb']} GB" if "memory_gb" in host else ""
    return (
        f"Measured {host['date']} at commit {host.get('commit', 'unknown')}: {host['cpu']}, "
        f"{host['cpus']} CPUs{memory}, {host['system']}, Python {host['python']}, kernel "
        f"{host['kernel']}, load before {host['load']}."
    )


def put(text: str, name: str, section: str) -> str:
    """The text with the section between its markers."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not closed:
        raise SystemExit(f"{start} is never closed by {end}")
    return f"{before}{start}\n{section}\n{end}{after}"


def draw(kept: dict[str, list[Run]], folder: Path) -> list[Path]:
    drawn = []
    if kept["scale"]:
        rows = kept["scale"][-1].rows
        drawn = [folder / "users.svg", folder / "sizes.svg"]
        plots.plot_users(rows, drawn[0])
        plots.plot_sizes(rows, drawn[1])
    if kept["daemon"]:
        drawn.append(folder / "rates.svg")
        plots.plot_rates(kept["daemon"][-1].rows, drawn[-1])
    if kept["kernel"] or kept["scale"]:
        drawn.append(folder / "history.svg")
        plots.plot_history(kept["kernel"], kept["scale"], drawn[-1])
    return drawn
