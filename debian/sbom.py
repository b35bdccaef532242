#!/usr/bin/python3
"""The package's bill of materials: SPDX 2.3 as JSON, from what was really used.

Libraries that are linked come from the programs' own ELF headers, those that are compiled in (headers) from the compiler's
list of the files it read (ninja's deps log); both are looked up in dpkg's database, and so is a library's own need of others.
Deterministic: the same build gives the same bytes.

  sbom.py --build DIR --root DIR --name NAME --version VERSION --out FILE     root: what the package will install
  sbom.py --check FILE                                                        is it of the form, and whole?
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

HEADERS_OF_THE_COMPILER = re.compile(r"^(libc6-dev|linux-libc-dev|libgcc-\d+-dev|libcrypt-dev)")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(path):
    out = run("readelf", "--dynamic", str(path))
    return re.findall(r"\(NEEDED\).*\[(.+)\]", out)


def elf_files(root):
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.open("rb").read(4) == b"\x7fELF":
            yield path


class Dpkg:
    """Which package a file is of, and what is known of that package."""

    def __init__(self):
        self.owner = {}
        self.facts = {}

    def find(self, paths):
        """Packages of the paths that belong to one. A path may be known under its old name without /usr."""
        missing = [p for p in paths if p not in self.owner]
        asked = {a: p for p in missing for a in (p, p.removeprefix("/usr"), os.path.realpath(p))}
        names = sorted(asked)
        for start in range(0, len(names), 500):
            out = subprocess.run(["dpkg-query", "-S", *names[start:start + 500]], capture_output=True, text=True).stdout
            for line in out.splitlines():
                package, _, file = line.partition(": ")
                if not line.startswith("diversion ") and file in asked:
                    self.owner[asked[file]] = package.split(",")[0].split(":")[0]
        return {self.owner[p] for p in paths if p in self.owner}

    def about(self, name):
        if name not in self.facts:
            form = "${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\t${Homepage}\\n"
            line = run("dpkg-query", "-W", "-f", form, name).splitlines()[0]
            self.facts[name] = line.split("\t")
        return self.facts[name]


def library_path(soname, arch):
    for folder in (f"/usr/lib/{arch}", f"/lib/{arch}", "/usr/lib", "/lib"):
        path = pathlib.Path(folder) / soname
        if path.exists():
            return str(path)
    return None


def headers(build):
    """Files outside the project that the compiler read for the programs."""
    source = str(pathlib.Path(build).resolve().parent)
    found = set()
    for line in run("ninja", "-C", str(build), "-t", "deps").splitlines():
        path = line.strip()
        if line.startswith("    ") and path.startswith("/") and not path.startswith(source + "/"):
            found.add(os.path.normpath(path))
    return found


def licence(package):
    """The licence of most of its files, where its copyright file is of Debian's form and the name is SPDX's."""
    known = {"Apache-2.0", "BSD-2-clause", "BSD-3-clause", "BSL-1.0", "MIT", "Expat", "Zlib", "LGPL-2.1+", "public-domain"}
    spdx = {"BSD-2-clause": "BSD-2-Clause", "BSD-3-clause": "BSD-3-Clause", "Expat": "MIT", "LGPL-2.1+": "LGPL-2.1-or-later"}
    try:
        text = pathlib.Path(f"/usr/share/doc/{package}/copyright").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "NOASSERTION"
    match = re.search(r"^Files: \*\n(?:(?!\n\n).|\n(?!\n))*?^License: *(\S[^\n]*)$", text, re.M)
    name = match.group(1).strip() if match else ""
    return spdx.get(name, name) if name in known and name != "public-domain" else "NOASSERTION"


def spdx_id(name):
    return "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def package_json(name, dpkg):
    version, arch, source, source_version, homepage = dpkg.about(name)
    purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace('~', '~')}?arch={arch}&distro=bookworm"
    entry = {
        "SPDXID": spdx_id(name), "name": name, "versionInfo": version, "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence(name), "copyrightText": "NOASSERTION",
        "sourceInfo": f"Debian source package {source} {source_version}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }
    if homepage:
        entry["homepage"] = homepage
    return entry


def digest(path, algorithm):
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def file_json(path, root):
    name = "./" + str(path.relative_to(root))
    return {
        "SPDXID": "SPDXRef-File-" + re.sub(r"[^A-Za-z0-9.-]", "-", name[2:]), "fileName": name, "fileTypes": ["BINARY"],
        "checksums": [{"algorithm": "SHA1", "checksumValue": digest(path, "sha1")},
                      {"algorithm": "SHA256", "checksumValue": digest(path, "sha256")}],
        "licenseConcluded": "Apache-2.0", "copyrightText": "NOASSERTION",
    }


def generate(args):
    root = pathlib.Path(args.root)
    arch = run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    dpkg = Dpkg()
    programs = list(elf_files(root))
    linked, relations, seen = set(), set(), set()

    def walk(needs, user):
        for soname in needs:
            path = library_path(soname, arch)
            if path is None:
                sys.exit(f"error: {soname} is in no package")
            owner = next(iter(dpkg.find([path])))
            if owner != user:
                relations.add((spdx_id(user), "DYNAMIC_LINK", spdx_id(owner)))
            linked.add(owner)
            if path not in seen:
                seen.add(path)
                walk(needed(path), owner)

    for program in programs:
        walk(needed(program), args.name)
    compiled = {p for p in dpkg.find(sorted(headers(args.build))) if not HEADERS_OF_THE_COMPILER.match(p)}
    for name in compiled:
        relations.add((spdx_id(args.name), "STATIC_LINK", spdx_id(name)))

    files = [file_json(path, root) for path in programs]
    code = hashlib.sha1("".join(sorted(f["checksums"][0]["checksumValue"] for f in files)).encode()).hexdigest()
    own = {
        "SPDXID": spdx_id(args.name), "name": args.name, "versionInfo": args.version,
        "supplier": "Organization: TPF maintainers", "downloadLocation": "NOASSERTION", "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": code}, "licenseConcluded": "Apache-2.0",
        "licenseInfoFromFiles": ["Apache-2.0"], "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION",
        "hasFiles": [f["SPDXID"] for f in files],
    }
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{args.name}-{args.version}", "documentNamespace": f"urn:tpf:sbom:{args.name}-{args.version}-{code}",
        "creationInfo": {"created": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: tpf-sbom"]},
        "documentDescribes": [own["SPDXID"]],
        "packages": [own] + [package_json(name, dpkg) for name in sorted(linked | compiled)],
        "files": files,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": own["SPDXID"]}]
        + [{"spdxElementId": a, "relationshipType": how, "relatedSpdxElement": b} for a, how, b in sorted(relations)],
    }
    pathlib.Path(args.out).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def problems(document):
    """What SPDX 2.3 asks for and the document lacks."""
    for key in ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages"):
        if key not in document:
            yield f"{key} is missing"
    ids = [e["SPDXID"] for e in document["packages"] + document["files"]] + [document["SPDXID"]]
    if len(ids) != len(set(ids)):
        yield "an SPDXID stands twice"
    for e in document["packages"]:
        for key in ("name", "versionInfo", "downloadLocation", "licenseDeclared"):
            if not e.get(key):
                yield f"{e['SPDXID']}: {key} is missing"
    for r in document["relationships"]:
        for end in (r["spdxElementId"], r["relatedSpdxElement"]):
            if end not in ids:
                yield f"a relationship names {end}, which is not there"
    reached = {r["relatedSpdxElement"] for r in document["relationships"]}
    for e in document["packages"]:
        if e["SPDXID"] not in reached:
            yield f"{e['SPDXID']}: nothing uses it"


def check(path):
    document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    found = list(problems(document))
    names = {p["name"] for p in document["packages"]}
    # What the programs cannot be without: linked (OpenSSL, Botan, SQLite) and compiled in (Boost, CLI11, JSON, TOML).
    for want in ("libssl3", "libbotan-2-19", "libsqlite3-0", "libboost1.74-dev", "libcli11-dev", "nlohmann-json3-dev",
                 "libtomlplusplus-dev", "librapidxml-dev"):
        if want not in names:
            found.append(f"{want} is not listed")
    for problem in found:
        print(f"error: {path}: {problem}", file=sys.stderr)
    return 1 if found else 0


def main():
    parser = argparse.ArgumentParser()
    for option in ("--build", "--root", "--name", "--version", "--out", "--check"):
        parser.add_argument(option)
    args = parser.parse_args()
    if args.check:
        sys.exit(check(args.check))
    generate(args)


if __name__ == "__main__":
    main()
