#!/usr/bin/python3
"""nocompile.py SNIPPET COMPILER FLAG…

A forbidden line stands between `#if FORBIDDEN == N  // PATTERN` and `#endif`; PATTERN is a regular expression for the
compiler's answer (both g++ and clang).
"""

import re
import subprocess
import sys

snippet, command = sys.argv[1], sys.argv[2:]
cases = re.findall(r"^#if FORBIDDEN == (\d+)  // (.+)$", open(snippet).read(), re.M)
faults = [] if cases and len({number for number, _ in cases}) == len(cases) else ["no cases, or a number twice"]


def compile_with(number):
    return subprocess.run(command + ["-DFORBIDDEN=" + number, snippet], capture_output=True, text=True)


allowed = compile_with("0")
if allowed.returncode != 0:
    faults.append("does not compile without a forbidden line:\n" + allowed.stderr)
for number, pattern in cases:
    answer = compile_with(number)
    if answer.returncode == 0:
        faults.append("case %s compiles" % number)
    elif not re.search(pattern, answer.stderr):
        faults.append("case %s fails otherwise than by /%s/:\n%s" % (number, pattern, answer.stderr[:3000]))
print("%d forbidden lines, %d faults" % (len(cases), len(faults)))
print("\n".join(faults))
sys.exit(1 if faults else 0)
