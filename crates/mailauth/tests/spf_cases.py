"""Writes the cases of a published SPF test suite (YAML) as JSON that tests/spf_suite.rs reads.

Usage: spf_cases.py rfc7208-tests.yml > cases.json      (needs PyYAML; exits 77 without)

A zone entry becomes a list of [kind, value]; the kind "*" with the value "TIMEOUT" stands for a
server that answers no question that the entries before it did not answer.
"""

import json
import sys

try:
    import yaml
except ImportError:
    sys.exit(77)


def zone_of(zonedata):
    zone = {}
    for name, entries in zonedata.items():
        rows, from_spf, has_txt = [], [], False
        for entry in entries:
            if entry == "TIMEOUT":
                rows.append(["*", "TIMEOUT"])
                continue
            for kind, value in entry.items():
                if kind in ("TXT", "SPF") and isinstance(value, list):
                    value = "".join(value)
                has_txt = has_txt or kind == "TXT"
                if value == "NONE":
                    continue
                if kind == "SPF":
                    from_spf.append(["TXT", value])
                else:
                    rows.append([kind, value])
        # The suite predates the end of record type SPF: its text stands for both.
        zone[name.lower()] = rows + ([] if has_txt else from_spf)
    return zone


def main():
    cases = []
    with open(sys.argv[1], "rb") as suite:
        for scenario in yaml.safe_load_all(suite):
            zone = zone_of(scenario["zonedata"])
            for name, test in scenario["tests"].items():
                result = test["result"]
                cases.append({
                    "name": name,
                    "helo": test["helo"],
                    "host": str(test["host"]),
                    "mailfrom": test["mailfrom"],
                    "results": result if isinstance(result, list) else [result],
                    "explanation": test.get("explanation"),
                    "zone": zone,
                })
    json.dump(cases, sys.stdout)


main()
