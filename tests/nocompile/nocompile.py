#!/usr/bin/python3
"""nocompile.py SNIPPET COMPILER FLAG…

A forbidden line stands between `#if FORBIDDEN == N  // PATTERN` and `#endif`; PATTERN is a regular expression for the
compiler's answer (both g++ and clang).
"""

import os
import re
import subprocess
import sys
import tempfile

snippet, command = sys.argv[1], sys.argv[2:]
text = open(snippet).read()
cases = re.findall(r"^#if FORBIDDEN == (\d+)  // (.+)$", text, re.M)
faults = [] if cases and len({number for number, _ in cases}) == len(cases) else ["no cases, or a number twice"]
folder = tempfile.TemporaryDirectory()


def headers_once():
    """What the snippet includes, precompiled: most of a case's time. The snippet's own includes find it all read already."""
    header = os.path.join(folder.name, "headers.h")
    with open(header, "w") as out:
        out.writelines(line + "\n" for line in re.findall(r"^#include .*$", text, re.M))
    precompile = [flag for flag in command if flag != "-fsyntax-only"]
    done = subprocess.run(precompile + ["-x", "c++-header", header, "-o", header + ".gch"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("the headers do not compile:\n" + done.stderr)
    return ["-include", header, "-x", "c++"]


def compile_with(number):
    return subprocess.run(command + headers + ["-DFORBIDDEN=" + number, snippet], capture_output=True, text=True)


headers = headers_once()
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
