#!/bin/bash
# What Tab offers, by the real completion and the real programs.
#
#   completion_test.sh COMPLETION PROGRAMS AUDIT-LOG.MD
set -eu
export PATH=$2:$PATH
cd "$(mktemp -d)"
touch melding.xml
. "$1"

# offers "WORDS SO FAR" EXPECTED…: all of these are offered for the last word; -NAME: it is not.
offers() {
  local line=$1 want; shift
  read -ra COMP_WORDS <<<"$line"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _tpf
  for want in "$@"; do
    if [[ $want == not:* ]]; then
      ! printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "${want#not:}" || { echo "FAILED: '$line' offers ${want#not:}"; exit 1; }
    else
      printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$want" || { echo "FAILED: '$line' offers: ${COMPREPLY[*]}, not $want"; exit 1; }
    fi
  done
}
offers 'tpfctl ' status queue keys audit journal config
offers 'tpfctl qu' queue not:status
offers 'tpfctl queue ' list show retry discard not:status
offers 'tpfctl audit ' show verify person pseudonym requests approve answer delete-list not:status
offers 'tpfctl queue discard --c' --confirm
offers 'tpfctl --json queue list --s' --state --sender not:--limit
offers 'tpfctl queue list --state q' quarantined not:held
offers 'tpfctl keys generate --kind s' signing not:start
offers 'tpfctl audit show --kind re' received retried receipt-refused rebuilt removed not:register
offers 'tpfctl check m' melding.xml
offers 'tpfctl --config m' melding.xml
offers 'tpfd --' --drain --check-config
offers 'tpf-forward --ch' --check-config
offers 'tpf-krypt --n' --nokler --navn
offers 'tpf-krypt --iplos m' melding.xml
offers 'tpf-register s' serve not:decrypt
# The kinds of entries are those that docs/audit-log.md names.
read -ra COMP_WORDS <<<'tpfctl audit show --kind'; COMP_WORDS+=(''); COMP_CWORD=4
_tpf
kinds=$(sed -n '/^Kinds: /,/\.$/p' "$3" | grep -o '`[a-z-]*`' | tr -d '`')
diff <(printf '%s\n' "${COMPREPLY[@]}" | sort) <(sort <<<"$kinds") || { echo "FAILED: the kinds of audit entries"; exit 1; }
# Every subcommand can be asked for help, or nothing could be offered behind it.
for word in $(tpfctl --help | _tpf_part Subcommands); do
  tpfctl "$word" --help >/dev/null || { echo "FAILED: tpfctl $word --help"; exit 1; }
done
