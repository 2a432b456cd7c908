#!/usr/bin/env python3
"""Compares what `gnc frame generate` finds with a table of known values.

    tests/models/known_frames.py KNOWN.csv [--gnc build/bin/gnc] [--output FILE.csv]
        [--kind signed|absolute] [--difficulty easy,medium,...] [--timeout SECONDS] [-- ARGUMENTS OF generate]

KNOWN.csv has the columns kind,d,C,max_correlation,provenance,difficulty,source. A line is printed for every row
and, with --output, appended to that file, whose rows a later call does not run again unless they failed: kind, d,
C, known value, ours, their difference, verdict, seconds of processor time (of all threads: they do not depend on
what else the machine does, or little), how ours was made. The verdict is "reached" within 1e-7 of the known value,
"BEATEN" below that, "MISSED" above it, "FAILED" where the program said no or took too long. The exit status is 1
if any row was missed or failed.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys

COLUMNS = ["kind", "d", "C", "known", "ours", "difference", "verdict", "cpu_seconds", "how"]
TOLERANCE = 1e-7
VERDICTS = ["reached", "BEATEN", "MISSED", "FAILED"]


def parse_arguments():
    own, generate = sys.argv[1:], []
    if "--" in own:
        split = own.index("--")
        own, generate = own[:split], own[split + 1:]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known", help="table of known values")
    parser.add_argument("--gnc", default="build/bin/gnc", help="the program (default: %(default)s)")
    parser.add_argument("--output", help="CSV file to append to; rows in it are not run again")
    parser.add_argument("--kind", choices=["signed", "absolute"], help="only these rows")
    parser.add_argument("--difficulty", help="only these, with commas between them")
    parser.add_argument("--timeout", type=float, default=1200.0, help="seconds a row may take (default: %(default)s)")
    arguments = parser.parse_args(own)
    arguments.generate = generate
    return arguments


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def describe(report):
    how = report["construction"] or report["method"]
    if report["restarts"] > 0:
        how += f", {report['hits']} of {report['restarts']} starts"
    return how


def run(row, arguments):
    """The line of the comparison for one row of the table."""
    known = float(row["max_correlation"])
    command = [arguments.gnc, "frame", "generate", "--json", "--dim", row["d"], "--classes", row["C"],
               "--objective", row["kind"], *arguments.generate]
    line = {"kind": row["kind"], "d": row["d"], "C": row["C"], "known": f"{known:.12f}", "ours": "", "difference": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.timeout, check=False)
    except subprocess.TimeoutExpired:
        done = None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    line["cpu_seconds"] = f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f}"
    if done is None or done.returncode != 0:
        said = f"stopped after {arguments.timeout:g} s" if done is None else done.stderr.strip().split("\n")[-1]
        return {**line, "verdict": "FAILED", "how": said}
    report = json.loads(done.stdout)
    ours = report["max_inner_product" if row["kind"] == "signed" else "max_abs_inner_product"]
    difference = ours - known
    if abs(difference) <= TOLERANCE:
        verdict = "reached"
    else:
        verdict = "BEATEN" if difference < 0 else "MISSED"
    return {**line, "ours": f"{ours:.12f}", "difference": f"{difference:.1e}", "verdict": verdict,
            "how": describe(report)}


def key_of(row):
    return row["kind"], int(row["d"]), int(row["C"])


def write_lines(path, mode, lines):
    with open(path, mode, newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if mode == "w":
            writer.writeheader()
        writer.writerows(lines)


def read_done(path):
    """The lines of an earlier call by their keys; failed ones leave the file, to be run again."""
    if not path:
        return {}
    lines = read_rows(path) if os.path.exists(path) else []
    lines = [line for line in lines if line["verdict"] != "FAILED"]
    write_lines(path, "w", lines)
    return {key_of(line): line for line in lines}


def print_line(line):
    print(f"{line['kind']:<9}{line['d']:>4}{line['C']:>6}  {line['known']:>15}{line['ours']:>17}"
          f"{line['difference']:>12}  {line['verdict']:<8}{line['cpu_seconds']:>12}  {line['how']}", flush=True)


def main():
    arguments = parse_arguments()
    wanted = read_rows(arguments.known)
    if arguments.kind:
        wanted = [row for row in wanted if row["kind"] == arguments.kind]
    if arguments.difficulty:
        wanted = [row for row in wanted if row["difficulty"] in arguments.difficulty.split(",")]
    done = read_done(arguments.output)

    print_line({name: name for name in COLUMNS})
    counts = dict.fromkeys(VERDICTS, 0)
    for row in wanted:
        line = done.get(key_of(row))
        if line is None:
            line = run(row, arguments)
            if arguments.output:
                write_lines(arguments.output, "a", [line])
        counts[line["verdict"]] += 1
        print_line(line)
    print(f"{len(wanted)} rows: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS))
    return 1 if counts["MISSED"] + counts["FAILED"] > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
